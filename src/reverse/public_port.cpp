#include "gotunnel/reverse/public_port.hpp"

#include <fmt/format.h>

namespace gotunnel::reverse {

void public_port::hand_to(const bind_question& question) {
  holders.clear();
  [[maybe_unused]] const auto nobody = holders.add({question.holder, question.service, question.carrier});
  client_address = question.client_address;
  identity = question.identity;
  since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  since_steady = std::chrono::steady_clock::now();
}

bool public_port::save(record_writer& to, const name_of_holder& name) const {
  std::vector<std::pair<wire::peer_id, const holder_set::place*>> going;
  for (const auto& each : holders.places())
    if (const auto known = name(*each.holder)) going.emplace_back(*known, &each);
  if (going.empty()) return false;
  to.put(number);
  to.put_text(address);
  to.put_text(client_address);
  to.put(static_cast<std::uint64_t>(since.time_since_epoch().count()));
  to.put(since_steady);
  to.put(std::uint64_t{going.size()});
  for (const auto& [known, place] : going) {
    to.put_raw(known);
    to.put(place->service);
    to.put(place->carrier);
  }
  to.put(identity.has_value());
  if (!identity) return true;
  to.put_raw(identity->first);
  to.put_raw(identity->second);
  return true;
}

std::shared_ptr<public_port> public_port::load(record_reader& from, const holder_of_name& holder) {
  const auto number = from.take<std::uint16_t>();
  const auto port = std::make_shared<public_port>(number, bind_question{});
  port->holders.clear();
  port->address = from.take_text();
  port->client_address = from.take_text();
  port->since = wall_time(std::chrono::seconds(from.take<std::uint64_t>()));
  port->since_steady = from.take_time();
  for (auto left = from.take<std::uint64_t>(); left > 0 && !from.broken(); --left) {
    wire::peer_id name{};
    from.take_into(name);
    holder_set::place place;
    place.holder = holder(name);
    place.service = from.take<std::uint64_t>();
    place.carrier = from.take<std::uint8_t>();
    place.away = true;
    from.require(place.holder != nullptr);
    if (!from.broken()) static_cast<void>(port->holders.add(std::move(place)));
  }
  if (from.take_flag()) {
    port->identity.emplace();
    from.take_into(port->identity->first);
    from.take_into(port->identity->second);
  }
  return from.whole() && number != 0 && port->holders.size() > 0 ? port : nullptr;
}

void public_port::shut() {
  hold.reset();
  door.close();
}

std::string public_port::held_since() const {
  const auto held = std::chrono::steady_clock::now() - since_steady;
  return fmt::format("{} ({} s ago)", describe(since),
                     std::chrono::duration_cast<std::chrono::seconds>(held).count());
}

} // namespace gotunnel::reverse
