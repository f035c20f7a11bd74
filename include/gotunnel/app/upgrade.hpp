// An upgrade: another process, of the program as it is on the disk now, goes on with what this one serves.
//
//   upgrade order(starter, keys, server, manager);
//   const upgrade_outcome done = co_await order.perform();      // on the front worker
//
// The new process is started, reads options and files, and says that it is ready, all of which takes its time
// and changes nothing; then this one stands still for a moment while everything goes over (reverse/handover).
// On success this process serves nobody any more who could go on, and is to be stopped; the service manager
// has been told, and the new process answers on the control socket. A new process that
// does not start, dies, or takes too long changes nothing: this one serves on. One at a time.
#pragma once

#include "gotunnel/app/keyring.hpp"
#include "gotunnel/app/service_manager.hpp"
#include "gotunnel/app/starter.hpp"
#include "gotunnel/reverse/server.hpp"

#include <string>

namespace gotunnel::app {

namespace asio = boost::asio;

/// From the order to the word that the new process is ready.
inline constexpr duration start_limit = 30s;
/// From the order to its end, for whoever waits for it.
inline constexpr duration upgrade_limit = start_limit + 5 * reverse::handover_limit;

struct upgrade_outcome {
  std::string trouble; ///< one sentence; empty on success
  reverse::handover_receipt receipt;
};

class upgrade {
public:
  upgrade(starter& next, const keyring& keys, reverse::server& server, service_manager& manager) noexcept
      : next_(next), keys_(keys), server_(server), manager_(manager) {}

  [[nodiscard]] asio::awaitable<upgrade_outcome> perform();

private:
  [[nodiscard]] asio::awaitable<upgrade_outcome> attempt();

  starter& next_;
  const keyring& keys_;
  reverse::server& server_;
  service_manager& manager_;
  bool under_way_ = false;
};

/// One line of JSON: {"upgraded":true,"pid":7,"clients":1,"ports":1,"visitors":3} or {"error":"..."}.
[[nodiscard]] std::string upgrade_json(const upgrade_outcome& outcome);

struct upgrade_report {
  bool well = false;
  std::string sentence;
};
/// The same for people.
[[nodiscard]] upgrade_report describe_upgrade(std::string_view json);

} // namespace gotunnel::app
