// The server: opens the tunnel door, admits strangers, runs one session per client, stops in three phases.
//
//   server s(pool, options); s.start(door);           // of the front worker, opened before
//   server s(pool, options); s.take_over(former);     // all that another process serves, by its leave
//   s.renew(context); s.renew(keys);                  // later handshakes use them; nobody is dropped
//   group.spawn("stop", s.stop(grace));               // doors close, visitors finish within `grace`, sessions end
//
// A stranger costs its TLS state, a deadline, and a place in a waiting room (reverse/waiting_room); its proof
// is looked at when its turn has come (wire/stranger_book). Addresses that are not allowed are closed at
// once. Handshakes run on the workers, never on the accept path. start, renew, held_ports and stop on the
// front worker; the server outlives pool.run().
#pragma once

#include "gotunnel/link/acceptor.hpp"
#include "gotunnel/net/parcel.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/net/worker_pool.hpp"
#include "gotunnel/reverse/handover.hpp"
#include "gotunnel/reverse/port_book.hpp"
#include "gotunnel/reverse/resume_book.hpp"
#include "gotunnel/reverse/session_roll.hpp"
#include "gotunnel/reverse/waiting_room.hpp"
#include "gotunnel/wire/smux_core.hpp"
#include "gotunnel/wire/stranger_book.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace gotunnel::reverse {

struct server_options {
  port_policy ports;
  link::shared_keys keys;
  crypto::tls_context tls;
  wire::cidr_set clients{};     ///< who may connect to the tunnel door
  duration resume_window = 60s; ///< how long a client may take to come back to its session; 0: it cannot
  duration keepalive = wire::default_keepalive; ///< how often each side speaks, unless the client wants less
  waiting_limits strangers{};                   ///< on each worker
};

class server {
public:
  server(net::worker_pool& pool, server_options options);
  ~server();

  void start(net::door door);
  [[nodiscard]] asio::ip::tcp::endpoint address() const { return door_.address(); }
  [[nodiscard]] const net::door& tunnel_door() const noexcept { return door_; }
  void renew(const crypto::tls_context& context);
  void renew(const link::shared_keys& keys);
  [[nodiscard]] std::vector<held_port> held_ports() const { return book_.held(); }
  [[nodiscard]] asio::awaitable<void> stop(duration grace);

  // --- another process (reverse/handover.hpp)
  /// Once the next process has said that it is ready: gives it all that can go on there. On success this
  /// server serves nothing of that any more, and is to be stopped; on failure it goes on as before.
  /// errc::timed_out, errc::end_of_stream and other errors of net/parcel; errc::broken_frame when the next
  /// process knows another handover; errc::shutting_down when it is being stopped, or has done this before.
  [[nodiscard]] net::task<handover_receipt> hand_over(net::parcel_socket& next,
                                                      duration limit = handover_limit);
  /// Instead of start(), before pool.run(): takes what a former process gives. On success that one has let
  /// go.
  [[nodiscard]] result<handover_totals> take_over(net::parcel_socket& former);

private:
  class hall;       // what one worker runs: strangers being admitted, and sessions (server_hall.hpp)
  class handover;   // server_handover.cpp
  struct pause;     // the same
  struct stranger;  // server_hall.hpp
  class succession; // server_succession.cpp

  asio::awaitable<void> accept_clients(net::door::listener_ptr from);
  [[nodiscard]] asio::awaitable<void> stop_hall(hall& which, duration grace);
  [[nodiscard]] asio::awaitable<std::size_t> count_strangers();
  void turn_away(const asio::ip::tcp::endpoint& who);
  [[nodiscard]] net::task<bool> judge(stranger who, const link::acceptor::look_function& look);

  net::worker_pool& pool_;
  server_options options_;
  net::executor front_;
  port_book book_;
  resume_book sessions_;
  session_roll roll_;
  wire::stranger_book strangers_; ///< on the front worker
  net::door door_;
  std::vector<std::unique_ptr<hall>> halls_;
  net::task_group tasks_;
  rate_limit reports_{1s};
  bool stopping_ = false; ///< or another process serves
};

} // namespace gotunnel::reverse
