#include "gotunnel/wire/control.hpp"

#include "gotunnel/wire/json_object.hpp"
#include "gotunnel/wire/smux_core.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cassert>
#include <limits>

namespace gotunnel::wire {
namespace {

namespace json = boost::json;

// A JSON escape takes up to six bytes for one; an error has two texts.
static_assert(2 * 6 * control_text_limit + 256 <= control_line_limit);

std::string_view name_of(const bind_request&) { return "bind"; }
std::string_view name_of(const unbind_request&) { return "unbind"; }
std::string_view name_of(const bound_answer&) { return "bound"; }
std::string_view name_of(const error_answer&) { return "error"; }
std::string_view name_of(const waiting_notice&) { return "waiting"; }
std::string_view name_of(const ping_message&) { return "ping"; }
std::string_view name_of(const pong_message&) { return "pong"; }
std::string_view name_of(const renew_message&) { return "renew"; }
std::string_view name_of(const bye_message&) { return "bye"; }
std::string_view name_of(const unknown_message& m) { return m.type; }

/// The text, or as much of it as fits, cut between two characters.
json::string clipped(std::string_view text) {
  if (text.size() > control_text_limit) {
    std::size_t end = control_text_limit;
    const auto continues = [&] { return (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; };
    while (end > 0 && continues()) --end;
    text = text.substr(0, end);
  }
  return json::string{text.data(), text.size()};
}

/// Writes the members of each message after its type.
struct member_writer {
  json::object& to;

  void operator()(const bind_request& m) const {
    to["id"] = m.id, to["port"] = m.port;
    if (m.carrier != 0) to["carrier"] = m.carrier;
    if (m.keepalive != 0) to["keepalive"] = m.keepalive;
    if (m.wait) to["wait"] = true;
  }
  void operator()(const unbind_request& m) const { to["id"] = m.id; }
  void operator()(const bound_answer& m) const {
    to["id"] = m.id, to["port"] = m.port, to["address"] = clipped(m.address);
    if (m.carrier != 0) to["carrier"] = m.carrier;
    if (m.keepalive != 0) to["keepalive"] = m.keepalive;
  }
  void operator()(const error_answer& m) const {
    if (m.id) to["id"] = *m.id;
    to["code"] = clipped(m.code), to["message"] = clipped(m.message);
    if (m.free_in_ms) to["free_in_ms"] = *m.free_in_ms;
  }
  void operator()(const waiting_notice& m) const { to["id"] = m.id, to["for_ms"] = m.for_ms; }
  void operator()(const ping_message& m) const { to["id"] = m.id; }
  void operator()(const pong_message& m) const { to["id"] = m.id; }
  void operator()(const renew_message&) const {}
  void operator()(const bye_message& m) const { to["reason"] = clipped(m.reason); }
  void operator()(const unknown_message&) const {} // never sent
};

/// Reads members, and remembers the first that is missing or wrong.
class member_reader {
public:
  explicit member_reader(const json::object& from) : from_(from) {}

  std::uint64_t id() {
    const auto number = optional_id();
    if (!number) complain("\"id\" must be an integer of 64 bits, not negative");
    return number.value_or(0);
  }
  std::optional<std::uint64_t> optional_id() const {
    const auto* value = from_.if_contains("id");
    return value == nullptr ? std::nullopt : as_unsigned(*value);
  }
  /// As optional_id, but an id that is there must be one.
  std::optional<std::uint64_t> id_if_any() {
    return from_.contains("id") ? std::optional(id()) : std::nullopt;
  }
  std::uint16_t port() {
    const auto* value = from_.if_contains("port");
    const auto number = value == nullptr ? std::nullopt : as_port(*value);
    if (!number) complain("\"port\" must be an integer from 0 to 65535");
    return number.value_or(0);
  }
  std::uint8_t carrier_if_any() {
    const auto* value = from_.if_contains("carrier");
    if (value == nullptr) return 0;
    const auto number = as_unsigned(*value);
    const bool right = number && *number >= 1 && *number <= carriers_limit;
    if (!right) complain("\"carrier\" must be an integer from 1 to " + std::to_string(carriers_limit));
    return right ? static_cast<std::uint8_t>(*number) : std::uint8_t{0};
  }
  std::uint32_t keepalive_if_any() {
    const auto* value = from_.if_contains("keepalive");
    if (value == nullptr) return 0;
    const auto number = as_unsigned(*value);
    const bool right = number && *number >= 1 && *number <= std::numeric_limits<std::uint32_t>::max();
    if (!right) complain("\"keepalive\" must be milliseconds, an integer of 32 bits");
    return right ? static_cast<std::uint32_t>(*number) : 0;
  }
  bool flag_if_any(std::string_view name) {
    const auto* value = from_.if_contains({name.data(), name.size()});
    if (value == nullptr) return false;
    if (!value->is_bool()) complain("\"" + std::string{name} + "\" must be true or false");
    return value->is_bool() && value->get_bool();
  }
  std::optional<std::uint32_t> milliseconds_if_any(std::string_view name) {
    const auto* value = from_.if_contains({name.data(), name.size()});
    if (value == nullptr) return std::nullopt;
    const auto number = as_unsigned(*value);
    const bool right = number && *number <= std::numeric_limits<std::uint32_t>::max();
    if (!right) complain("\"" + std::string{name} + "\" must be an integer of 32 bits, not negative");
    return right ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
  }
  std::uint32_t milliseconds(std::string_view name) {
    if (!from_.contains({name.data(), name.size()})) complain("\"" + std::string{name} + "\" is missing");
    return milliseconds_if_any(name).value_or(0);
  }
  std::string text(std::string_view name) {
    const auto* value = from_.if_contains({name.data(), name.size()});
    const auto* string = value == nullptr ? nullptr : value->if_string();
    if (string == nullptr) {
      complain("\"" + std::string{name} + "\" must be a text");
      return {};
    }
    return {string->data(), string->size()};
  }
  const std::string& problem() const { return problem_; }

private:
  void complain(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  const json::object& from_;
  std::string problem_;
};

// In the braces below the members are read from left to right, as the language promises.
control_message read_members(std::string_view type, member_reader& from) {
  if (type == "bind")
    return bind_request{from.id(), from.port(), from.carrier_if_any(), from.keepalive_if_any(),
                        from.flag_if_any("wait")};
  if (type == "unbind") return unbind_request{from.id()};
  if (type == "bound")
    return bound_answer{from.id(), from.port(), from.text("address"), from.carrier_if_any(),
                        from.keepalive_if_any()};
  if (type == "error")
    return error_answer{from.id_if_any(), from.text("code"), from.text("message"),
                        from.milliseconds_if_any("free_in_ms")};
  if (type == "waiting") return waiting_notice{from.id(), from.milliseconds("for_ms")};
  if (type == "ping") return ping_message{from.id()};
  if (type == "pong") return pong_message{from.id()};
  if (type == "renew") return renew_message{};
  if (type == "bye") return bye_message{from.text("reason")};
  return unknown_message{};
}

control_message read_message(const json::object& object) {
  member_reader members{object};
  std::string type = members.text("type");
  control_message message = read_members(type, members);
  if (std::holds_alternative<unknown_message>(message) || !members.problem().empty())
    return unknown_message{members.optional_id(), std::move(type), members.problem()};
  return message;
}

} // namespace

duration agreed_keepalive(duration ours, std::uint32_t theirs) noexcept {
  const duration larger = std::max<duration>(ours, std::chrono::milliseconds(theirs));
  return std::clamp<duration>(larger, default_keepalive, longest_keepalive);
}

std::uint32_t keepalive_ms(duration interval) noexcept {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(interval).count());
}

std::string encode(const control_message& message) {
  assert(!std::holds_alternative<unknown_message>(message));
  const std::string_view type = std::visit([](const auto& m) { return name_of(m); }, message);
  json::object object{{"type", json::string_view{type.data(), type.size()}}};
  std::visit(member_writer{object}, message);
  return json::serialize(object) + '\n';
}

result<> control_reader::feed(bytes_view bytes) {
  std::string_view text = as_text(bytes);
  while (!text.empty() && !overflowed_) {
    const std::size_t end = text.find('\n');
    const std::string_view piece = text.substr(0, end == std::string_view::npos ? end : end + 1);
    const std::size_t room = control_line_limit - (pending_.size() - whole_);
    overflowed_ = piece.size() > room;
    pending_ += piece.substr(0, room);
    if (end != std::string_view::npos && !overflowed_) whole_ = pending_.size();
    text.remove_prefix(piece.size());
  }
  if (overflowed_) return errc::limit_exceeded;
  return {};
}

result<std::optional<control_message>> control_reader::next() {
  if (read_ == whole_) {
    pending_.erase(0, whole_);
    read_ = whole_ = 0;
    return std::nullopt;
  }
  const std::size_t end = pending_.find('\n', read_);
  const std::string_view line = std::string_view{pending_}.substr(read_, end - read_);
  read_ = end + 1;
  const auto object = parse_json_object(line);
  if (!object) return object.error();
  return read_message(*object);
}

} // namespace gotunnel::wire
