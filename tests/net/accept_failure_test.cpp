#include "gotunnel/net/accept_failure.hpp"

#include "support/log_capture.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::accept_failure;

namespace {

error_code of_system(int number) { return {number, boost::system::system_category()}; }

} // namespace

BOOST_AUTO_TEST_SUITE(accept_failure_test)

BOOST_AUTO_TEST_CASE(a_connection_a_shortage_and_the_listener_itself_are_told_apart) {
  for (const int each : {ECONNABORTED, EPROTO, EHOSTUNREACH, EPERM})
    BOOST_CHECK(net::accept_failure_of(of_system(each)) == accept_failure::passing);
  for (const int each : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EIO, ENOSYS})
    BOOST_CHECK(net::accept_failure_of(of_system(each)) == accept_failure::lasting);
  for (const int each : {EINVAL, EBADF, ENOTSOCK})
    BOOST_CHECK(net::accept_failure_of(of_system(each)) == accept_failure::dead);
}

BOOST_AUTO_TEST_CASE(each_episode_is_said_once_and_waits_longer_each_time) {
  log_capture log;
  net::accept_trouble trouble("the door");
  for (int i = 0; i < 3; ++i) BOOST_CHECK(trouble.note(of_system(EMFILE)) == accept_failure::lasting);
  BOOST_TEST(log.take("cannot accept on the door"));
  BOOST_CHECK(trouble.pause() == 50ms);
  BOOST_CHECK(trouble.pause() == 100ms);
  for (int i = 0; i < 10; ++i) (void)trouble.pause();
  BOOST_CHECK(trouble.pause() == 1s);
  trouble.over();
  BOOST_CHECK(trouble.pause() == 50ms);
  BOOST_CHECK(trouble.note(of_system(EINVAL)) == accept_failure::dead);
  BOOST_TEST(log.take("nobody listens on the door any more"));
  for (int i = 0; i < 2; ++i) trouble.cannot_listen("in use");
  BOOST_TEST(log.take("cannot listen on the door again: in use"));
}

BOOST_AUTO_TEST_CASE(what_passes_for_ever_does_not_pass) {
  log_capture log;
  net::accept_trouble trouble("the door");
  int passed = 0;
  while (passed < 100 && trouble.note(of_system(EPROTO)) == accept_failure::passing) ++passed;
  BOOST_TEST(passed < 20);
  BOOST_TEST(log.take("cannot accept on the door"));
}

BOOST_AUTO_TEST_SUITE_END()
