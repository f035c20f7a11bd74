// Which sessions hold which public port: the listeners, and who gets the visitors.
//
// The book lives on the front worker; sessions on other workers ask it (net/ask). A listener belongs to the
// book and not to a session, so a client that comes back takes its port over while visitors keep queueing:
// the listener is never closed in between. An accepted socket is born on its holder's worker and handed to
// the holder there; a holder that has no use for it gives it back, and another one gets it.
//
// Who may take a held port: the same client and process at once; the same client id from another process when
// no session that holds the port answers a ping within a second (else the newcomer is told that a live copy
// holds it); nobody else. Several sessions of one process may hold a port together when each of them asks for
// it as a carrier with a number of its own; one that comes back takes only the place of its number. The port
// is closed when the last of them is gone.
//
// A client holds 64 ports at most, by however many sessions.
//
// While all holders wait for another carrier (mux/session) the port stays theirs. Its listener is kept for
// `resume_hold`: visitors wait, and go through when the client is back; after that they are refused at once.
// Then only the book knows that the port is not free. Another program may take it; the book tries again until
// it is left, and the visitors who were there before go on. Other clients are told when the port may be free,
// and may wait in line: the first of them has it the moment its holders are over, and all are refused when
// one of the holders is back.
//
// A visitor needs a seat (reverse/visitor_quota). A port that has none left lets visitors queue in the kernel
// for some seconds, and then resets them until somebody leaves.
#pragma once

#include "gotunnel/base/rate_limit.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/reverse/public_port.hpp"
#include "gotunnel/wire/cidr.hpp"
#include "gotunnel/wire/control.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gotunnel::reverse {

inline constexpr duration liveness_limit = 1s;
inline constexpr std::size_t ports_of_a_client = 64;

struct port_policy {
  net::door::addresses bind; ///< public side; none: all addresses
  wire::port_set allowed;
  wire::cidr_set visitors{}; ///< who may connect to public ports; others are closed at once
  duration resume_hold = 2s; ///< how long a port is listened on while all who hold it are away
  visitor_limits limits{};
};

/// For people.
struct held_port {
  std::uint16_t port = 0;
  std::string client_address;
  wall_time since;
};

class port_book {
public:
  port_book(net::executor front, port_policy policy);

  /// bound_answer, or error_answer with a code and a sentence for the client's user. From any worker; resumes
  /// there.
  [[nodiscard]] asio::awaitable<wire::control_message> bind(bind_question question);
  /// The same, when bind() has said that the holder is away: answers when it has gone, or is back.
  /// release_all() and leave_line() end the wait.
  [[nodiscard]] asio::awaitable<wire::control_message> wait_in_line(bind_question question);
  // The rest on the front worker:
  /// Takes this holder off the port if it has it, and closes the port after the last one; connections that
  /// were accepted go on.
  void release(const port_holder& holder, std::uint16_t port);
  void release_all(const port_holder& holder);
  /// This one waits no longer for the port.
  void leave_line(const port_holder& holder, std::uint16_t port);
  /// The client of this holder is away, until then at most: its visitors wait.
  void away(const port_holder& holder, time_point until = {});
  /// And back.
  void back(const port_holder& holder);

  [[nodiscard]] std::vector<held_port> held() const;

  // --- another process (reverse/handover)
  /// Nobody is accepted meanwhile; who comes waits in the kernel.
  void pause();
  void resume();
  [[nodiscard]] std::vector<public_port_ptr> ports() const;
  [[nodiscard]] visitor_quota& quota() noexcept { return quota_; }
  /// A port of a former process, whose holders are away.
  void adopt(public_port_ptr port, net::door door);
  /// Another process goes on with it.
  void leave(std::uint16_t port);

  /// Closes all listeners and takes no more.
  void close();
  asio::awaitable<void> join();

private:
  asio::awaitable<void> bind_and_answer(bind_question question, bind_answer answer);
  void enter_line(bind_question question, bind_answer answer);
  [[nodiscard]] bool pass_on(const public_port_ptr& port);
  void refuse_line(public_port& port);
  [[nodiscard]] std::size_t count_ports(const bind_question& question) const;
  [[nodiscard]] asio::awaitable<wire::control_message> bind_here(bind_question question);
  [[nodiscard]] result<net::door> listen(std::uint16_t port) const;
  [[nodiscard]] asio::awaitable<std::optional<wire::error_answer>> settle(const bind_question& question,
                                                                          public_port_ptr held);
  [[nodiscard]] asio::awaitable<bool> anybody_alive(std::vector<holder_ptr> holders) const;
  [[nodiscard]] wire::control_message give(const bind_question& question, const public_port_ptr& held);
  void try_again(const public_port_ptr& held);
  [[nodiscard]] error_code tend(const public_port_ptr& held);
  void open(const public_port_ptr& held, net::door door);
  asio::awaitable<void> accept_visitors(public_port_ptr port, std::shared_ptr<net::tcp_listener> listener);
  asio::awaitable<void> await_room(public_port& port, const net::tcp_listener& listener);
  void let_in(const public_port_ptr& port, net::tcp_listener::accepted next);
  void hand_over(const public_port_ptr& port, asio::ip::tcp::socket socket, asio::ip::tcp::endpoint peer,
                 visitor_seat seat);
  void turn_away(const asio::ip::tcp::endpoint& who, std::uint16_t port);
  void refuse(net::tcp_listener::accepted& who, std::uint16_t port, crowding why);

  net::executor front_;
  port_policy policy_;
  visitor_quota quota_;
  std::map<std::uint16_t, public_port_ptr> ports_;
  net::task_group tasks_; ///< accept loops and questions under way
  rate_limit reports_{1s};
  rate_limit crowd_reports_{10s};
  bool paused_ = false;
  bool closed_ = false;
};

} // namespace gotunnel::reverse
