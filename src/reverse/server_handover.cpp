// How a server gives what it serves to another process.
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/standstill.hpp"
#include "gotunnel/reverse/server_hall.hpp"

#include <unordered_map>

namespace gotunnel::reverse {
namespace {

// Strangers who are being admitted get this long to become clients, before their connections are cut.
constexpr duration admission_patience = 1s;
constexpr duration admission_interval = 10ms;
// Sessions in the midst of something are asked again so often; those that still are then end here.
constexpr int attempts = 40;
constexpr duration attempt_interval = 25ms;

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

/// One attempt to give everything away, while all workers stand still.
class server::handover {
public:
  handover(server& owner, net::parcel_socket& next, duration limit)
      : owner_(owner), next_(next), limit_(limit) {}

  /// Whether anybody has to finish something first.
  [[nodiscard]] bool busy() const {
    for (const auto& each : owner_.halls_)
      for (const server_session* session : each->sessions())
        if (session->handover_readiness() == server_session::readiness::busy) return true;
    return false;
  }

  /// Returns once the next process has everything, or an error.
  [[nodiscard]] result<> give() {
    until_ = now() + limit_;
    try {
      give_all();
    } catch (const std::exception&) {
      // Everything is written down once more; who has no room for that serves on.
      return make_error_code(boost::system::errc::not_enough_memory);
    }
    if (failure_) return failure_;
    const auto taken = expect_part(next_, handover_part::taken, until_ - now());
    if (!taken) return taken.error();
    send(begin_part(handover_part::go));
    if (failure_) return failure_;
    return {};
  }

  /// After give(), on the thread of each hall.
  void leave(hall& where) const {
    // First: somebody who asks for a session that has gone would be told that there is none.
    where.cut_strangers();
    for (const auto& [session, home] : given_)
      if (home == &where) session->leave();
  }
  /// And on the front worker.
  void leave_ports() const {
    for (const std::uint16_t each : ports_) owner_.book_.leave(each);
  }

  [[nodiscard]] const handover_totals& totals() const noexcept { return totals_; }

private:
  void give_all() {
    give_door(begin_part(handover_part::door), owner_.door_, 0);
    for (const auto& each : owner_.halls_)
      for (server_session* session : each->sessions())
        if (session->handover_readiness() == server_session::readiness::ready) give_session(*session, *each);
    for (const auto& port : owner_.book_.ports()) give_port(*port);
    for (const auto& [session, home] : given_)
      for (const visit& each : session->visits()) give_visitor(*session, each);
    record_writer end = begin_part(handover_part::end);
    for (const std::uint64_t each : {totals_.sessions, totals_.ports, totals_.visitors}) end.put(each);
    send(std::move(end));
  }

  void send(record_writer record, int attached = -1) {
    if (failure_) return;
    const auto sent = next_.send(record.take(), until_ - now(), attached);
    if (!sent) failure_ = sent.error();
  }

  /// The first listener goes with the record, each further one with a record of its own.
  void give_door(record_writer record, const net::door& door, std::uint16_t port) {
    send(std::move(record), door ? door.listeners().front()->handle() : -1);
    for (std::size_t i = 1; i < door.listeners().size(); ++i) {
      if (door.listeners()[i]->handle() < 0) continue; // it could not be listened on again so far
      record_writer further = begin_part(handover_part::listener);
      further.put(port);
      send(std::move(further), door.listeners()[i]->handle());
    }
  }

  void give_session(server_session& session, const hall& home) {
    record_writer record = begin_part(handover_part::session);
    session.save(record);
    send(std::move(record));
    given_.emplace(&session, &home);
    names_.emplace(&session, session.id());
    ++totals_.sessions;
  }

  void give_port(const public_port& port) {
    const auto name = [this](const port_holder& holder) -> std::optional<wire::peer_id> {
      const auto found = names_.find(&holder);
      return found == names_.end() ? std::nullopt : std::optional(found->second);
    };
    record_writer record = begin_part(handover_part::port);
    if (!port.save(record, name)) return;
    give_door(std::move(record), port.door, port.number);
    ports_.push_back(port.number);
    ++totals_.ports;
  }

  void give_visitor(const server_session& session, const visit& each) {
    if (!each.alive()) return;
    record_writer record = begin_part(handover_part::visitor);
    record.put_raw(session.id());
    record.put(each.who.service);
    record.put_bytes({reinterpret_cast<const std::byte*>(each.who.peer.data()), each.who.peer.size()});
    each.save(record);
    send(std::move(record), each.outside.handle());
    ++totals_.visitors;
  }

  server& owner_;
  net::parcel_socket& next_;
  duration limit_;
  time_point until_{};
  std::unordered_map<server_session*, const hall*> given_;
  std::unordered_map<const port_holder*, wire::peer_id> names_;
  std::vector<std::uint16_t> ports_;
  handover_totals totals_;
  error_code failure_;
};

/// Doors that are paused as long as this lives, unless another process has them.
struct server::pause {
  explicit pause(server& whose) : owner(whose) { owner.door_.pause(); }
  pause(const pause&) = delete;
  pause& operator=(const pause&) = delete;
  ~pause() {
    if (owner.stopping_) return;
    owner.book_.resume();
    owner.door_.resume();
  }
  server& owner;
};

/// How many are being admitted. Whoever was accepted before is at his worker when this comes back, and
/// whoever was sent back from there at another one when it comes back once more.
asio::awaitable<std::size_t> server::count_strangers() {
  std::size_t count = 0;
  for (const auto& each : halls_)
    count += co_await net::ask(each->home().where(), [&each] { return each->strangers(); });
  co_return count;
}

net::task<handover_receipt> server::hand_over(net::parcel_socket& next, duration limit) {
  auto ready = expect_part(next, handover_part::ready, limit);
  if (!ready) co_return ready.error();
  record_reader said = reader_of(*ready);
  if (said.take<std::uint32_t>() != handover_format) co_return errc::broken_frame;
  const auto successor = said.take<std::uint32_t>();
  if (stopping_) co_return errc::shutting_down;

  const pause doors(*this);
  for (const time_point patience = now() + admission_patience; now() < patience;) {
    const std::size_t strangers = co_await count_strangers();
    if (strangers == 0) break;
    co_await net::sleep_for(admission_interval);
  }
  book_.pause();
  for (int left = attempts;; --left) {
    for (int round = 0; round < 2; ++round) (void)co_await count_strangers();
    if (stopping_) co_return errc::shutting_down;
    handover attempt(*this, next, limit);
    result<> outcome;
    bool again = false;
    auto look = [&] {
      again = left > 0 && attempt.busy();
      if (!again) outcome = attempt.give();
      stopping_ = !again && outcome.has_value();
    };
    auto after = [&](std::size_t worker) {
      if (!stopping_) return;
      attempt.leave(*halls_[worker]);
      if (worker == 0) attempt.leave_ports();
    };
    net::standstill(pool_, look, after);
    if (!again && !outcome) co_return outcome.error();
    if (!again) {
      const handover_receipt receipt{attempt.totals(), successor};
      co_return receipt;
    }
    co_await net::sleep_for(attempt_interval);
  }
}

} // namespace gotunnel::reverse
