#include "gotunnel/net/route_watch.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"

#include <array>
#include <cstring>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// Says to all who listen to routes what the kernel would say; needs the right to, which tests may lack.
bool pretend_a_change() {
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (socket < 0) return false;
  // A new address of the loopback interface, and away with it.
  struct {
    nlmsghdr head;
    ifaddrmsg what;
    rtattr local;
    std::array<unsigned char, 4> address;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  request.what.ifa_family = AF_INET;
  request.what.ifa_prefixlen = 32;
  request.what.ifa_index = 1;
  request.local.rta_len = sizeof request.local + sizeof request.address;
  request.local.rta_type = IFA_LOCAL;
  request.address = {127, 77, 66, 55};
  bool done = true;
  for (const auto type : {RTM_NEWADDR, RTM_DELADDR}) {
    request.head.nlmsg_type = static_cast<std::uint16_t>(type);
    struct {
      nlmsghdr head;
      nlmsgerr outcome;
    } answer{};
    done = done && ::send(socket, &request, sizeof request, 0) == sizeof request &&
           ::recv(socket, &answer, sizeof answer, 0) > 0 && answer.outcome.error == 0;
  }
  ::close(socket);
  return done;
}

} // namespace

BOOST_AUTO_TEST_SUITE(route_watch_test)

BOOST_AUTO_TEST_CASE(an_address_that_comes_and_goes_is_told_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto watch = net::route_watch::open(where);
    if (!watch || !pretend_a_change()) {
      BOOST_TEST_MESSAGE("not allowed here");
      co_return;
    }
    const auto first = co_await watch->changed();
    BOOST_TEST(first.has_value());
    bool again = false;
    net::task_group tasks(where, "test");
    tasks.spawn("second", [](net::route_watch& on, bool& told) -> asio::awaitable<void> {
      const auto change = co_await on.changed();
      told = change.has_value();
    }(*watch, again));
    co_await pause(20ms);
    BOOST_TEST(!again);
    tasks.cancel();
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_SUITE_END()
