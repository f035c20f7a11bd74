// One authenticated client at the server: its control stream, its ports, its visitors.
//
// Native clients speak wire/control on their first stream; seed clients send one request (wire/seed_greeting)
// and bind one port. For a visitor the session opens a stream, writes who the visitor is (native), and
// splices. The session ends when its carrier does, when a newer session of the same client takes over, or by
// stop(). Its streams have ids, which are used once: when an eighth of them is left the client is asked for a
// fresh session, which takes the port over while visitors finish on this one; a client that does not know
// this loses the session as soon as no visitor is there, and when there are no more ids, and dials again.
// Visitors whose bytes had all come by then may still read them, for a few seconds. When the client can
// resume, the session waits for it to come back first, and the book of ports is told. On one worker, which
// runs it.
//
// Such a session can also go on in another process (reverse/handover): it is saved there, with its visitors,
// while nothing moves, and leave() ends what is left of it here.
#pragma once

#include "gotunnel/base/record.hpp"
#include "gotunnel/link/acceptor.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/mux/session.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/reverse/port_book.hpp"
#include "gotunnel/reverse/resume_book.hpp"
#include "gotunnel/reverse/session_roll.hpp"
#include "gotunnel/reverse/visit.hpp"
#include "gotunnel/reverse/visitor_group.hpp"

#include <deque>
#include <limits>
#include <map>
#include <optional>

namespace gotunnel::reverse {

class server_session final : public port_holder,
                             public resumable,
                             public std::enable_shared_from_this<server_session> {
public:
  /// `seat` among the sessions of its client; a seed peer has none. `last_id`: the greatest that a stream for
  /// a visitor has.
  server_session(net::executor where, net::executor front, port_book& book, link::admitted peer,
                 session_roll::seat_ptr seat = {},
                 wire::stream_id last_id = std::numeric_limits<wire::stream_id>::max());

  // --- another process (server_session_record.cpp)
  /// Whether it can be saved as it is now, can never be, or is in the midst of something.
  enum class readiness { ready, busy, never };
  [[nodiscard]] readiness handover_readiness() const;
  /// With its control stream and without its visitors.
  void save(record_writer& to) const;
  /// What save() saved, to be run by `where`; errc::broken_frame when it is no such thing.
  [[nodiscard]] static result<std::shared_ptr<server_session>> load(net::executor where, net::executor front,
                                                                    port_book& book, record_reader& from);
  [[nodiscard]] const visit_list& visits() const noexcept { return visits_; }
  /// A visitor of the former process, who goes on with run().
  [[nodiscard]] result<> readmit(visitor who, record_reader& from);
  /// Before run(), of a session that was loaded.
  void sit(session_roll::seat_ptr seat) { seat_ = std::move(seat); }
  [[nodiscard]] const wire::client_hello& hello() const noexcept { return hello_; }
  /// All visitors that the former process had are here.
  void all_readmitted() { mux_->drop_unclaimed(); }
  /// Another process goes on with the session.
  void leave();

  /// How often each side is to speak at least. Counts for binds to come; the client's wish, if larger, goes
  /// before.
  void wish_keepalive(duration interval) noexcept { wished_keepalive_ = interval; }
  /// Serves the client until the session is over. Once.
  asio::awaitable<void> run();
  /// Opens nothing new, tells the client, lets visitors finish for at most `grace`, then ends run().
  void stop(duration grace);
  /// By which its client comes back to it.
  [[nodiscard]] const wire::peer_id& id() const noexcept { return id_; }
  /// Whether it can.
  [[nodiscard]] bool resumes() const noexcept { return resume_window_ > duration::zero(); }

  net::executor where() const override { return where_; }
  std::optional<visitor> welcome(visitor who) override;
  void ping(duration limit, std::function<void(bool)> answer) override;
  void superseded() override;
  void come_back(const wire::client_hello& hello, answer_function answer) override;

private:
  asio::awaitable<void> serve();
  asio::awaitable<void> watch_carrier();
  asio::awaitable<void> make_room(wire::client_hello hello, answer_function answer);
  [[nodiscard]] asio::awaitable<void> tell_away();
  [[nodiscard]] asio::awaitable<void> tell_back();
  [[nodiscard]] asio::awaitable<bool> may_come_back(const wire::client_hello& hello);
  asio::awaitable<void> serve_native(mux::mux_stream& control);
  asio::awaitable<void> serve_seed(mux::mux_stream& control);
  asio::awaitable<void> refuse_streams();
  enum class beginning { here, elsewhere };
  asio::awaitable<void> serve_visitor(visitor who, mux::mux_stream_ptr inside, std::vector<std::byte> first,
                                      beginning where);
  asio::awaitable<void> give_up_ping(std::uint64_t id, duration limit);
  void mind_ids();
  asio::awaitable<void> close_without_visitors();
  asio::awaitable<void> wind_down();
  asio::awaitable<void> wait_until_said();

  struct readmitted {
    visitor who;
    mux::session::loaded_stream inside;
  };

  [[nodiscard]] asio::awaitable<wire::control_message> bind(wire::bind_request wanted);
  [[nodiscard]] std::optional<wire::error_answer> impossible(const wire::bind_request& wanted) const;
  [[nodiscard]] bind_question question_of(const wire::bind_request& wanted);
  asio::awaitable<void> wait_in_line(wire::bind_request wanted);
  asio::awaitable<void> settle(const wire::bind_request& wanted, wire::control_message& outcome);
  asio::awaitable<void> unbind(std::uint64_t id);
  void agree_on_keepalive(std::uint32_t wanted, wire::bound_answer& answer);
  void report(std::string_view trouble);
  /// What a message of the client is answered with, if anything.
  [[nodiscard]] asio::awaitable<std::optional<wire::control_message>>
  reply_to(const wire::control_message& message);
  void pong(std::uint64_t id, bool alive);
  void say(wire::control_message message);
  asio::awaitable<void> say_queued(mux::mux_stream& control);

  net::executor where_;
  net::executor front_;
  port_book& book_;
  session_roll::seat_ptr seat_;
  std::string client_;
  bool native_;
  wire::client_hello hello_;
  std::uint32_t capabilities_;
  wire::peer_id id_;
  duration resume_window_;
  duration wished_keepalive_ = wire::default_keepalive;
  duration keepalive_{};         ///< that was agreed on; 0: none was
  std::uint32_t generation_ = 0; ///< of the latest carrier that was offered
  std::shared_ptr<mux::session> mux_;
  mux::mux_stream_ptr control_;
  net::task_group tasks_; ///< control
  visitor_group visitors_;
  visit_list visits_; ///< of visitors_, those that have begun
  std::vector<readmitted> readmitted_;
  net::signal changed_;         ///< unsaid_ changed
  wire::control_reader reader_; ///< of the control stream
  std::string half_said_;       ///< what the former process had not sent of its last message
  /// At most unsaid_limit; the control stream is not read while it is full.
  std::deque<wire::control_message> unsaid_;
  std::map<std::uint64_t, std::uint16_t> binds_;   ///< service id -> port
  std::map<std::uint64_t, std::uint16_t> in_line_; ///< the same, of ports that others have at present
  std::map<std::uint64_t, std::function<void(bool)>> pings_;
  std::uint64_t next_ping_ = 1;
  bool saying_ = false;   ///< the control stream is there to send unsaid_ on
  bool replying_ = false; ///< a message of the client is being answered
  bool stopping_ = false;
  bool renewing_ = false; ///< few ids are left
  std::uint64_t few_ids_;
};

} // namespace gotunnel::reverse
