// Our smux against the real one: as client and as server, versions 1 and 2.
#include "interop/core_driver.hpp"
#include "interop/go_peer.hpp"
#include "interop/users.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::testing;
namespace data = boost::unit_test::data;
using wire::smux_config;
using wire::smux_role;

namespace {

constexpr std::size_t many = 1000;
constexpr std::size_t mebibyte = 1024UL * 1024;

/// Each way. 1 GiB where the code runs at full speed and in the version that our tunnels speak;
/// GOTUNNEL_INTEROP_BYTES overrules.
std::uint64_t bulk_bytes(int version) {
  if (const char* const wanted = std::getenv("GOTUNNEL_INTEROP_BYTES")) return std::stoull(wanted);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
  constexpr std::size_t full = 64 * mebibyte;
#else
  constexpr std::size_t full = 1024 * mebibyte;
#endif
  return version == 2 ? full : full / 4;
}

smux_role role_of(std::string_view name) { return name == "client" ? smux_role::client : smux_role::server; }

smux_config config_of(smux_role role, int version) {
  smux_config config;
  config.role = role;
  config.version = static_cast<std::uint8_t>(version);
  return config;
}

/// The peer listens, whichever end of the session it is.
struct pair {
  pair(const std::string& peer_flags, const smux_config& config)
      : peer(fmt::format("-role {} -version {} {}", config.role == smux_role::client ? "server" : "client",
                         config.version, peer_flags)),
        driver(loopback_socket::connect(peer.port()), config) {}

  smux_peer peer;
  core_driver driver;
};

template <class Agent>
bool all_done(const std::vector<Agent*>& users, std::size_t count) {
  return users.size() == count && std::ranges::all_of(users, [](const Agent* user) { return user->done(); });
}

/// Makes users for the streams that the peer opens, and remembers them.
template <class Agent, class... Args>
auto collect(std::vector<Agent*>& users, Args... args) {
  return [&users, args...]() -> std::unique_ptr<stream_user> {
    auto user = std::make_unique<Agent>(args...);
    users.push_back(user.get());
    return user;
  };
}

void check(const error_code& outcome) { BOOST_TEST(!outcome, outcome.message()); }

} // namespace

BOOST_AUTO_TEST_SUITE(smux)

BOOST_DATA_TEST_CASE(a_thousand_streams_of_ours_come_back,
                     data::make({"client", "server"}) * data::make({1, 2}), role, version) {
  pair two("echo", config_of(role_of(role), version));
  std::vector<round_trip_user*> users;
  for (std::size_t i = 0; i < many; ++i) users.push_back(&two.driver.open<round_trip_user>(i, 65536U));
  check(two.driver.run_until([&] { return all_done(users, many); }));
  BOOST_TEST(std::ranges::none_of(users, [](const auto* user) { return user->broken(); }));
  BOOST_TEST(two.driver.core().stream_count() == 0U);
  BOOST_TEST(two.driver.core().buffered() == 0U);
  check(two.driver.leave());
  BOOST_TEST(two.peer.verified());
  if (version == 2) BOOST_TEST(two.driver.ledger().violations() == 0U);
}

BOOST_DATA_TEST_CASE(a_thousand_streams_of_the_peer_come_back,
                     data::make({"client", "server"}) * data::make({1, 2}), role, version) {
  pair two(fmt::format("-streams {} -bytes 65536 dial-echo", many), config_of(role_of(role), version));
  std::vector<echo_user*> users;
  two.driver.on_open = collect(users);
  check(two.driver.await_end());
  BOOST_TEST(all_done(users, many));
  BOOST_TEST(two.driver.core().stream_count() == 0U);
  two.driver.hang_up();
  BOOST_TEST(two.peer.verified());
}

BOOST_DATA_TEST_CASE(a_large_blob_goes_each_way_when_we_open, data::make({1, 2}), version) {
  pair two(fmt::format("-bytes {} bulk", bulk_bytes(version)), config_of(smux_role::client, version));
  auto& user = two.driver.open<blob_user>(blob_user::side::opener, 7U, bulk_bytes(version));
  check(two.driver.run_until([&] { return user.done() || user.broken(); }));
  BOOST_TEST(user.done());
  BOOST_TEST(!user.broken());
  check(two.driver.leave());
  BOOST_TEST(two.peer.verified());
}

BOOST_DATA_TEST_CASE(a_large_blob_goes_each_way_when_the_peer_opens, data::make({1, 2}), version) {
  pair two(fmt::format("-bytes {} bulk", bulk_bytes(version)), config_of(smux_role::server, version));
  std::vector<blob_user*> users;
  two.driver.on_open = collect(users, blob_user::side::acceptor, 7U, bulk_bytes(version));
  check(two.driver.await_end());
  BOOST_TEST(all_done(users, 1));
  two.driver.hang_up();
  BOOST_TEST(two.peer.verified());
}

BOOST_AUTO_TEST_CASE(the_largest_frames_are_taken) {
  pair two("-frame-size 65535 -bytes 4194304 -streams 4 dial-echo", config_of(smux_role::server, 2));
  std::vector<echo_user*> users;
  two.driver.on_open = collect(users);
  check(two.driver.await_end());
  two.driver.hang_up();
  BOOST_TEST(two.peer.verified());
}

BOOST_AUTO_TEST_CASE(the_largest_frames_are_sent) {
  smux_config config = config_of(smux_role::client, 2);
  config.max_frame = 65535;
  pair two("echo", config);
  auto& user = two.driver.open<round_trip_user>(1U, 4 * mebibyte);
  check(two.driver.run_until([&] { return user.done() || user.broken(); }));
  BOOST_TEST(user.done());
  check(two.driver.leave());
  BOOST_TEST(two.peer.verified());
}

// The peer sees the end of the question and may still answer. An old smux gives up only an answer that has to
// wait for a window, so this one fits into the first.
BOOST_DATA_TEST_CASE(half_close_leaves_the_way_back_open, data::make({1, 2}), version) {
  pair two("echo", config_of(smux_role::client, version));
  auto& user = two.driver.open<round_trip_user>(1U, 60'000U, true);
  check(two.driver.run_until([&] { return user.done() || user.broken(); }));
  BOOST_TEST(user.done());
  check(two.driver.leave());
  BOOST_TEST(two.peer.verified());
}

BOOST_DATA_TEST_CASE(keepalive_carries_an_idle_session, data::make({1, 2}), version) {
  smux_config config = config_of(smux_role::client, version);
  config.keepalive_interval = 150ms;
  config.keepalive_timeout = 600ms;
  pair two("-keepalive-interval 150ms -keepalive-timeout 600ms -for 1600ms idle", config);
  check(two.driver.await_end()); // the peer leaves when its time is over; silence of either side would have
                                 // ended it before
  two.driver.hang_up();
  BOOST_TEST(two.peer.verified());
  BOOST_TEST(two.driver.ledger().keepalives_sent() >= 5U);
}

BOOST_AUTO_TEST_CASE(a_silent_peer_is_noticed) {
  smux_config config = config_of(smux_role::client, 2);
  config.keepalive_interval = 100ms;
  config.keepalive_timeout = 400ms;
  const auto start = std::chrono::steady_clock::now(); // the silence begins when the core is made
  pair two("-keepalive-disabled echo", config);
  BOOST_TEST(two.driver.run_until([] { return false; }, 20s) == make_error_code(errc::peer_silent));
  BOOST_TEST((std::chrono::steady_clock::now() - start >= 400ms));
}

// Before the peer has read anything 256 KiB may be on their way; its first UPD then announces 64 KiB, so that
// what is on its way already exceeds the window, and nothing may follow until it is consumed.
BOOST_AUTO_TEST_CASE(a_window_that_shrinks_is_honoured) {
  pair two("-stream-buffer 65536 slow-reader", config_of(smux_role::client, 2));
  auto& neglected = two.driver.open<blob_user>(blob_user::side::opener, 1U, 8 * mebibyte);
  neglected.only_write();
  check(two.driver.run_until(
      [&] { return two.driver.ledger().sent(neglected.id) == credit_ledger::first_window; }));
  auto& lively = two.driver.open<round_trip_user>(2U, 8 * mebibyte);
  check(two.driver.run_until([&] { return lively.done() || lively.broken(); }));
  BOOST_TEST(lively.done());
  // In all that time not a byte more went to the stream that nobody reads: unless it is read by now, which
  // takes the first update.
  check(two.driver.run_until([&] { return neglected.done() || neglected.broken(); }));
  BOOST_TEST(neglected.done());
  const credit_ledger& ledger = two.driver.ledger();
  BOOST_TEST(ledger.violations() == 0U);
  BOOST_TEST(ledger.of(neglected.id).lowest <= 65536 - 262'144 + 65536);
  BOOST_TEST(ledger.of(neglected.id).window == 65536);
  check(two.driver.leave());
  BOOST_TEST(two.peer.verified());
}

BOOST_AUTO_TEST_CASE(a_stream_that_we_do_not_read_stalls_no_other) {
  pair two("-bytes 8388608 dial-slow-reader", config_of(smux_role::server, 2));
  blob_user* neglected = nullptr;
  echo_user* lively = nullptr;
  two.driver.on_open = [&]() -> std::unique_ptr<stream_user> {
    if (neglected == nullptr) {
      auto user = std::make_unique<blob_user>(blob_user::side::acceptor, 1U, 0U);
      neglected = user.get();
      neglected->only_read();
      neglected->hold();
      return user;
    }
    auto user = std::make_unique<echo_user>();
    lively = user.get();
    return user;
  };
  check(two.driver.run_until([&] { return lively != nullptr && lively->done(); }));
  BOOST_TEST(neglected->held() <= two.driver.core().buffered());
  BOOST_TEST(!two.driver.core().over_budget());
  neglected->release();
  check(two.driver.await_end());
  BOOST_TEST(neglected->done());
  two.driver.hang_up();
  BOOST_TEST(two.peer.verified());
}

BOOST_AUTO_TEST_CASE(another_version_is_a_broken_peer) {
  smux_config config = config_of(smux_role::server, 2);
  smux_peer peer("-role client -version 1 dial-echo");
  core_driver driver(loopback_socket::connect(peer.port()), config);
  driver.on_open = [] { return std::make_unique<echo_user>(); };
  BOOST_TEST(driver.run_until([] { return false; }, 20s) == make_error_code(errc::broken_frame));
}

BOOST_AUTO_TEST_SUITE_END()
