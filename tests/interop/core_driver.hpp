// Drives a wire::smux_core over one TCP connection, with poll(2) and nothing else: what the core does against
// a real peer is seen without Asio and without TLS in between.
//
//   core_driver driver(loopback_socket::connect(port), config);
//   auto& user = driver.open<blob_user>(...);
//   BOOST_REQUIRE(!driver.run_until([&] { return user.done(); }));
//   BOOST_REQUIRE(!driver.leave());
//
// Each stream has a user: it gives bytes when asked, takes bytes as they come, and says when they are
// consumed. `ledger` reads the frames of both directions and keeps the books of windows apart from the core.
#pragma once

#include "interop/credit_ledger.hpp"
#include "support/loopback.hpp"

#include "gotunnel/wire/smux_core.hpp"

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gotunnel::testing {

class core_driver;

/// The user of one stream. The driver owns it until the end of the test.
class stream_user {
public:
  virtual ~stream_user() = default;

  /// More to send, valid until the next call; empty: nothing now (core_driver::wake asks again).
  virtual bytes_view next() = 0;
  virtual void received(bytes_view bytes) = 0;
  virtual void ended() {}
  virtual void was_reset() {}

  core_driver* driver = nullptr;
  wire::stream_id id = 0;
};

class core_driver {
public:
  core_driver(loopback_socket socket, const wire::smux_config& config);

  template <class Agent, class... Args>
  Agent& open(Args&&... args) {
    auto user = std::make_unique<Agent>(std::forward<Args>(args)...);
    Agent& there = *user;
    adopt(core_.open().value(), std::move(user));
    return there;
  }
  /// Makes the user of a stream that the peer opens. Without it such a stream is a failure.
  std::function<std::unique_ptr<stream_user>()> on_open;

  // For users.
  void wake(wire::stream_id id);
  void consumed(wire::stream_id id, std::size_t count);
  void finish(wire::stream_id id) { core_.finish(id); }

  /// Runs until `done`. errc::timed_out after `limit`, errc::end_of_stream when the peer closed the
  /// connection before, otherwise what the core said.
  [[nodiscard]] error_code run_until(const std::function<bool()>& done, duration limit = 120s);
  /// Sends what is left, shuts our direction, and waits for the peer to close its own.
  [[nodiscard]] error_code leave();
  /// Waits until the peer closes the connection.
  [[nodiscard]] error_code await_end();
  /// Closes the connection. After await_end() this is what the peer waits for.
  void hang_up() { socket_ = loopback_socket(); }

  [[nodiscard]] wire::smux_core& core() noexcept { return core_; }
  [[nodiscard]] const credit_ledger& ledger() const noexcept { return ledger_; }

private:
  struct entry {
    std::unique_ptr<stream_user> user;
    bool offered = false;
  };

  void adopt(wire::stream_id id, std::unique_ptr<stream_user> user);
  [[nodiscard]] error_code step(time_point until);
  [[nodiscard]] error_code take_events();
  [[nodiscard]] error_code receive();
  [[nodiscard]] error_code send();

  loopback_socket socket_;
  wire::smux_core core_;
  credit_ledger ledger_;
  std::unordered_map<wire::stream_id, entry> streams_;
  std::vector<std::byte> in_;
  std::vector<std::byte> out_;
  bytes_view unsent_;
  bool ended_ = false;
};

} // namespace gotunnel::testing
