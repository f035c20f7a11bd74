// What a new process finds of the one before it. That it is started at all, tests/e2e/upgrade_test.cpp shows.
#include "gotunnel/app/starter.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

#include <fcntl.h>

using namespace gotunnel;
using namespace gotunnel::app;
using namespace std::chrono_literals;

namespace {

constexpr const char* variable = "GOTUNNEL_HANDOVER_SOCKET";

void set(int number) { ::setenv(variable, std::to_string(number).c_str(), 1); }

} // namespace

BOOST_AUTO_TEST_SUITE(starter_test)

BOOST_AUTO_TEST_CASE(whom_nobody_started_to_take_over_finds_nobody) {
  ::unsetenv(variable);
  BOOST_TEST(!former_process().has_value());
}

BOOST_AUTO_TEST_CASE(the_socket_of_a_former_process_is_taken_once_and_not_passed_on) {
  auto ends = net::parcel_socket::pair().value();
  const int number = ends.second.release().release();
  ::fcntl(number, F_SETFD, 0);
  set(number);
  auto former = former_process();
  BOOST_TEST_REQUIRE(former.has_value());
  BOOST_TEST(former->handle() == number);
  BOOST_TEST((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  BOOST_TEST(std::getenv(variable) == nullptr);
  BOOST_TEST(!former_process().has_value());
  BOOST_TEST(former->send(as_bytes("ready"), 5s).has_value());
  BOOST_TEST(as_text(ends.first.receive(5s)->bytes) == "ready");
}

BOOST_AUTO_TEST_CASE(a_variable_that_names_something_else_is_said_and_not_used) {
  const net::descriptor file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int number : {0, 1, 9999, file.get()}) {
    set(number);
    BOOST_CHECK_THROW((void)former_process(), usage_error);
    BOOST_TEST(std::getenv(variable) == nullptr);
  }
}

BOOST_AUTO_TEST_SUITE_END()
