// A bad network between a client and a server: forwards TCP until it is told to cut or to fall silent.
//
//   relay way(server.port());  client with -server 127.0.0.1:<way.port()>
//   way.cut();      // resets all connections; new ones are forwarded
//   way.cut_oldest(); // resets one
//   way.block(true); // until told otherwise, new connections are dropped at once
//   way.lead_to(port); // new connections go to another server of 127.0.0.1
//   way.freeze();   // forwards nothing more on the connections there are, and says nothing: a silent death
//
// Runs on a thread of its own.
#pragma once

#include "support/loopback.hpp"

#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace gotunnel::testing {

class relay {
public:
  explicit relay(std::uint16_t target);
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;
  ~relay();

  [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  void cut();
  void cut_oldest();
  void freeze();
  void lead_to(std::uint16_t target) { target_ = target; }
  void block(bool on) { blocked_ = on; }
  /// Pieces that it has passed on, in either direction.
  [[nodiscard]] std::size_t forwarded() const noexcept { return forwarded_; }
  [[nodiscard]] std::size_t accepted() const noexcept { return accepted_; }

private:
  struct pair {
    loopback_socket near;
    loopback_socket far;
    bool frozen = false;
    bool ended = false;
  };

  void run();
  void accept_one();
  static void end(pair& which);
  static void break_off(pair& which);
  static bool forward(const loopback_socket& from, const loopback_socket& to);

  std::atomic<std::uint16_t> target_;
  loopback_listener listener_;
  std::mutex mutex_; ///< pairs_
  std::list<pair> pairs_;
  std::atomic<std::size_t> accepted_ = 0;
  std::atomic<std::size_t> forwarded_ = 0;
  std::atomic<bool> blocked_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

} // namespace gotunnel::testing
