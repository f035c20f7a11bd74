// With a real descriptor 3 it is tried by tests/e2e: here that number belongs to somebody else.
#include "gotunnel/app/passed_socket.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/environment.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

using namespace gotunnel::app;
using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(passed_socket_test)

BOOST_AUTO_TEST_CASE(nothing_is_passed_to_others) {
  const variable fds("LISTEN_FDS", "1");
  for (const std::optional<std::string>& pid :
       {std::optional<std::string>(), std::optional<std::string>("1"), std::optional<std::string>("x")}) {
    const variable meant_for("LISTEN_PID", pid);
    BOOST_TEST(!take_passed_socket());
    BOOST_TEST(std::getenv("LISTEN_FDS") != nullptr); // theirs
  }
}

BOOST_AUTO_TEST_CASE(none_is_fine_and_several_are_refused) {
  const std::string own = std::to_string(::getpid());
  {
    const variable meant_for("LISTEN_PID", own), fds("LISTEN_FDS", "0");
    BOOST_TEST(!take_passed_socket());
    BOOST_TEST(std::getenv("LISTEN_FDS") == nullptr);
  }
  for (const char* count : {"2", "-1", "", "one"}) {
    const variable meant_for("LISTEN_PID", own), fds("LISTEN_FDS", count);
    BOOST_CHECK_EXCEPTION(static_cast<void>(take_passed_socket()), usage_error, [](const usage_error& e) {
      return std::string(e.what()).find("a server takes one socket") != std::string::npos;
    });
    BOOST_TEST(std::getenv("LISTEN_PID") == nullptr);
  }
}

BOOST_AUTO_TEST_SUITE_END()
