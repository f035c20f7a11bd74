#include "gotunnel/app/tunnel_door.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/net/resolver.hpp"

#include "support/loopback.hpp"
#include "support/run.hpp"

#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

std::string refusal(const net::executor& where, net::descriptor passed, const wire::host_port& address) {
  try {
    open_tunnel_door(where, std::move(passed), address, "as given").door.close();
    return "";
  } catch (const usage_error& e) {
    return e.what();
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(tunnel_door_test)

BOOST_AUTO_TEST_CASE(what_is_passed_comes_before_what_was_asked_for) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener theirs;
    net::descriptor passed(::dup(theirs.descriptor()));
    const auto door = open_tunnel_door(where, std::move(passed), {"192.0.2.1", 0}, "192.0.2.1:0");
    BOOST_TEST(door.door.address().port() == theirs.port());
    BOOST_TEST(door.host == "127.0.0.1");
    const auto own = open_tunnel_door(where, {}, {"localhost", 0}, "localhost:0");
    BOOST_TEST(own.host == "localhost");
  });
}

BOOST_AUTO_TEST_CASE(what_cannot_be_had_says_what_to_do) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener taken;
    BOOST_TEST(refusal(where, {}, {"127.0.0.1", taken.port()}) ==
               "-listen \"as given\": the address is in use; stop what uses it, or choose another port");
    BOOST_TEST(
        refusal(where, {}, {"192.0.2.1", 0}) ==
        "-listen \"as given\": this machine has no such address; give one of its own, or none for all");
    net::descriptor datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    BOOST_TEST(refusal(where, std::move(datagrams), {"", 0}) ==
               "LISTEN_FDS \"1\": descriptor 3 is no listening TCP socket; give "
               "the socket unit one ListenStream= with a port, and Accept=no");
    BOOST_CHECK_THROW((void)public_addresses(where, "192.0.2.1", "192.0.2.1"), usage_error);
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(a_name_is_all_of_its_addresses) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto known = net::look_up("localhost").value();
    const auto door = open_tunnel_door(where, {}, {"localhost", 0}, "localhost:0");
    const auto bind = public_addresses(where, "localhost", "localhost");
    BOOST_TEST((bind == known));
    for (const auto& each : known) BOOST_TEST(door.door.has(each));
    BOOST_TEST(door.door.listeners().size() == known.size());
    BOOST_TEST(public_addresses(where, "", "").empty());
    BOOST_TEST(public_addresses(where, "127.0.0.1", "127.0.0.1").size() == 1U);
    co_return;
  });
}

BOOST_AUTO_TEST_SUITE_END()
