// How a server takes from another process what that one serves.
#include "gotunnel/reverse/server_hall.hpp"

#include <algorithm>
#include <map>

#include <unistd.h>

namespace gotunnel::reverse {
namespace {

// The former process lets strangers finish, and asks busy sessions several times.
constexpr duration door_patience = 30s;
// It stands still meanwhile, and gives up long before.
constexpr duration parcel_patience = 10s;
constexpr duration for_ever = 24h;

} // namespace

/// What comes from the former process, until all of it is there.
class server::succession {
public:
  succession(server& owner, net::parcel_socket& former) : owner_(owner), former_(former) {}

  [[nodiscard]] result<handover_totals> take() {
    record_writer ready = begin_part(handover_part::ready);
    ready.put(handover_format);
    ready.put(static_cast<std::uint32_t>(::getpid()));
    if (const auto sent = former_.send(ready.take(), parcel_patience); !sent) return sent.error();
    auto door = expect_part(former_, handover_part::door, door_patience);
    if (!door) return door.error();
    if (const auto taken = add_listener(door_, std::move(door->attached)); !taken) return taken.error();
    if (const auto all = take_all(); !all) return all.error();
    if (const auto sent = former_.send(begin_part(handover_part::taken).take(), parcel_patience); !sent)
      return sent.error();
    // Whether it has gone is for the former process to say: its end shows, its silence means nothing.
    if (const auto go = expect_part(former_, handover_part::go, for_ever); !go) return go.error();
    for (auto& [id, each] : sessions_) {
      owner_.sessions_.add(id, each.session);
      each.session->sit(owner_.roll_.adopt(each.session->hello().client, id));
      owner_.strangers_.know(each.session->hello().client);
      each.home->adopt(each.session);
    }
    for (open_port& each : ports_) owner_.book_.adopt(std::move(each.port), std::move(each.door));
    owner_.start(std::move(door_));
    return totals_;
  }

private:
  struct newcomer {
    std::shared_ptr<server_session> session;
    hall* home;
  };
  /// By whom visitors of a port are counted.
  struct counted {
    std::shared_ptr<visitor_ticket::count> visitors;
    visitor_crowd_ptr crowd;
  };
  struct open_port {
    public_port_ptr port;
    net::door door;
  };

  [[nodiscard]] result<> add_listener(net::door& to, net::descriptor attached) {
    auto adopted = net::tcp_listener::adopt(owner_.front_, std::move(attached));
    if (!adopted) return adopted.error();
    to.add(std::move(*adopted));
    return {};
  }

  [[nodiscard]] result<> take_all() {
    for (;;) {
      auto got = former_.receive(parcel_patience);
      if (!got) return got.error();
      if (got->bytes.empty()) return errc::broken_frame;
      record_reader record = reader_of(*got);
      result<> taken;
      switch (static_cast<handover_part>(got->bytes.front())) {
      case handover_part::session: taken = take_session(record); break;
      case handover_part::port: taken = take_port(record, std::move(got->attached)); break;
      case handover_part::listener: taken = take_listener(record, std::move(got->attached)); break;
      case handover_part::visitor: taken = take_visitor(record, std::move(got->attached)); break;
      case handover_part::end: return take_end(record);
      default: return errc::broken_frame;
      }
      if (!taken) return taken;
    }
  }

  [[nodiscard]] result<> take_session(record_reader& record) {
    // They arrive in no order that means anything: one after the other to each worker.
    hall& home = *owner_.halls_[sessions_.size() % owner_.halls_.size()];
    auto session = server_session::load(home.home().where(), owner_.front_, owner_.book_, record);
    if (!session) return session.error();
    const wire::peer_id id = (*session)->id();
    if (!sessions_.try_emplace(id, newcomer{std::move(*session), &home}).second) return errc::broken_frame;
    ++totals_.sessions;
    return {};
  }

  [[nodiscard]] result<> take_port(record_reader& record, net::descriptor attached) {
    const auto holder = [this](const wire::peer_id& name) -> holder_ptr {
      const auto found = sessions_.find(name);
      return found == sessions_.end() ? nullptr : found->second.session;
    };
    auto port = public_port::load(record, holder);
    if (!port) return errc::broken_frame;
    port->crowd = owner_.book_.quota().crowd_of(port->client());
    for (const auto& each : port->holders.places())
      counts_.try_emplace({each.holder.get(), each.service}, counted{each.visitors, port->crowd});
    ports_.push_back({std::move(port), {}});
    ++totals_.ports;
    return attached ? add_listener(ports_.back().door, std::move(attached)) : result<>();
  }

  [[nodiscard]] result<> take_listener(record_reader& record, net::descriptor attached) {
    const auto number = record.take<std::uint16_t>();
    if (!record.whole()) return errc::broken_frame;
    if (number == 0) return add_listener(door_, std::move(attached));
    // It follows the first one of its port.
    if (ports_.empty() || ports_.back().port->number != number) return errc::broken_frame;
    return add_listener(ports_.back().door, std::move(attached));
  }

  [[nodiscard]] result<> take_visitor(record_reader& record, net::descriptor attached) {
    wire::peer_id name{};
    record.take_into(name);
    const auto service = record.take<std::uint64_t>();
    asio::ip::tcp::endpoint peer;
    const bytes_view address = record.take_bytes();
    const auto found = sessions_.find(name);
    record.require(attached && found != sessions_.end() && address.size() <= peer.capacity());
    if (record.broken()) return errc::broken_frame;
    peer.resize(address.size());
    std::copy(address.begin(), address.end(), reinterpret_cast<std::byte*>(peer.data()));

    server_session& session = *found->second.session;
    asio::ip::tcp::socket socket(session.where());
    error_code ec;
    socket.assign(peer.protocol(), attached.get(), ec);
    if (ec) return ec;
    static_cast<void>(attached.release());
    ++totals_.visitors;
    const counted at = counted_at(session, service);
    visitor_seat seat = visitor_quota::readmit(at.crowd, wire::source_of(net::to_wire(peer)));
    visitor who(std::move(socket), std::move(peer), service, visitor_ticket(at.visitors), std::move(seat));
    return session.readmit(std::move(who), record);
  }

  [[nodiscard]] counted counted_at(const port_holder& holder, std::uint64_t service) const {
    const auto found = counts_.find({&holder, service});
    if (found != counts_.end()) return found->second;
    // The port was given up before.
    return {std::make_shared<visitor_ticket::count>(0), owner_.book_.quota().crowd_of(std::nullopt)};
  }

  [[nodiscard]] result<> take_end(record_reader& record) {
    handover_totals given;
    for (std::uint64_t* const each : {&given.sessions, &given.ports, &given.visitors})
      *each = record.take<std::uint64_t>();
    if (!record.whole() || given != totals_) return errc::broken_frame;
    for (auto& [id, each] : sessions_) each.session->all_readmitted();
    return {};
  }

  server& owner_;
  net::parcel_socket& former_;
  net::door door_;
  std::map<wire::peer_id, newcomer> sessions_;
  std::vector<open_port> ports_;
  std::map<std::pair<const port_holder*, std::uint64_t>, counted> counts_;
  handover_totals totals_;
};

result<handover_totals> server::take_over(net::parcel_socket& former) {
  return succession(*this, former).take();
}

} // namespace gotunnel::reverse
