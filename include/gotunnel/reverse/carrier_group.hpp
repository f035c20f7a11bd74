// A whole client: one carrier, or several that hold the public port together.
//
//   carrier_group g(executor, options, 4, ready); group.spawn("client", g.run()); ... g.stop(grace);
//
// The first carrier gets the port alone; then the others join it, each a reverse/client that comes back on
// its own. `ready` is told when the port is open, and again when it is open anew after all had been lost.
// Whoever comes back first opens it then. A server that does not know carriers is served by one; that is said
// once. When the server is to choose the port and no longer grants its choice, one carrier asks for another
// while the others wait. Without `retry` run() ends when the last carrier has failed, and `exit_code()` is 1.
// One worker.
#pragma once

#include "gotunnel/net/signal.hpp"
#include "gotunnel/reverse/client.hpp"

#include <vector>

namespace gotunnel::reverse {

class carrier_group final : private carrier_owner {
public:
  using ready_handler = client_session::ready_handler;

  /// `carriers` from 1 to wire::carriers_limit.
  carrier_group(net::executor where, client_options options, std::uint8_t carriers, ready_handler ready);

  [[nodiscard]] asio::awaitable<void> run();
  void stop(duration grace);
  /// The way to the server may have changed: dead carriers are to be found out at once.
  void doubt_carriers() {
    for (client* each : carriers_)
      if (each != nullptr) each->doubt_carrier();
  }
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

private:
  [[nodiscard]] std::uint16_t port_to_ask() const override { return port_; }
  void up(std::uint8_t number, const wire::bound_answer& answer) override;
  void down() override { --up_; }
  void refused(std::uint8_t number) override;
  [[nodiscard]] local_visits& visits() override { return visits_; }
  [[nodiscard]] std::string standing() const override;
  [[nodiscard]] bool is_news(const std::string& trouble) override;

  asio::awaitable<void> keep(std::uint8_t number);
  void go_alone(std::uint8_t number);
  void give_up();

  net::executor where_;
  client_options options_;
  ready_handler ready_;
  local_visits visits_;
  std::vector<client*> carriers_; ///< by number - 1; none while it rests
  net::task_group tasks_;         ///< keep()
  net::signal changed_;           ///< alone_ or stopping_
  std::uint16_t port_;
  std::size_t up_ = 0;
  std::uint8_t leader_ = 1; ///< who goes on when alone_
  bool alone_ = true;       ///< the others rest
  bool warned_ = false;     ///< that the server does not know carriers
  bool stopping_ = false;
  std::string trouble_; ///< the latest that was said
  int exit_code_ = 0;
};

} // namespace gotunnel::reverse
