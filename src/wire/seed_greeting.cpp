#include "gotunnel/wire/seed_greeting.hpp"

#include "gotunnel/wire/json_object.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace gotunnel::wire {
namespace {

namespace json = boost::json;

// What Go's strings.TrimSpace takes away (Unicode's White_Space), in UTF-8.
constexpr std::string_view white_space[] = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u0085", "\u00a0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

std::string_view trimmed(std::string_view text) {
  std::size_t before = 0;
  do {
    before = text.size();
    for (const std::string_view space : white_space) {
      if (text.starts_with(space)) text.remove_prefix(space.size());
      if (text.ends_with(space)) text.remove_suffix(space.size());
    }
  } while (text.size() != before);
  return text;
}

bool same_but_for_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// The member that Go's encoding/json would have used: any case, the last of several.
const json::value* find_member(const json::object& object, std::string_view name) {
  const json::value* found = nullptr;
  for (const auto& member : object)
    if (same_but_for_case({member.key().data(), member.key().size()}, name)) found = &member.value();
  return found;
}

std::string as_line(const json::object& object) { return json::serialize(object) + '\n'; }

} // namespace

result<std::optional<std::size_t>> find_line(bytes_view bytes, std::size_t limit) {
  const std::size_t end = as_text(bytes).substr(0, limit).find('\n');
  if (end != std::string_view::npos) return end + 1;
  if (bytes.size() >= limit) return errc::limit_exceeded;
  return std::nullopt;
}

bool seed_secret_matches(bytes_view line, const secret_text& secret) {
  // Without a secret nobody is let in, whatever the original would do.
  return !secret.empty() &&
         equal_in_constant_time(as_bytes(trimmed(as_text(line))), as_bytes(secret.reveal()));
}

bool seed_can_carry(const secret_text& secret) {
  const std::string_view text = secret.reveal();
  return !text.empty() && trimmed(text).size() == text.size() && text.find('\n') == std::string_view::npos;
}

result<> read_seed_verdict(bytes_view line) {
  const std::string_view verdict = trimmed(as_text(line));
  if (verdict == trimmed(seed_accepted)) return {};
  if (verdict == trimmed(seed_refused)) return errc::wrong_secret;
  return errc::not_gotunnel;
}

std::string encode_seed_request(std::uint16_t remote_port) { return as_line({{"remote_port", remote_port}}); }

result<std::uint16_t> read_seed_request(bytes_view line) {
  const auto object = parse_json_object(as_text(line));
  if (!object) return object.error();
  const json::value* const value = find_member(*object, "remote_port");
  const auto port = value == nullptr ? std::nullopt : as_port(*value);
  if (!port) return errc::broken_frame;
  return *port;
}

std::string encode(const seed_answer& answer) {
  const json::string message{answer.message.data(), answer.message.size()};
  return as_line({{"status", answer.success ? "success" : "error"}, {"message", message}});
}

result<seed_answer> read_seed_answer(bytes_view line) {
  const auto object = parse_json_object(as_text(line));
  if (!object) return object.error();
  const json::value* const status = find_member(*object, "status");
  if (status == nullptr || !status->is_string()) return errc::broken_frame;

  // Messages are free text; the original looks at nothing but the status, and at nothing in it but "success".
  seed_answer answer;
  answer.success = status->get_string() == "success";
  const json::value* const message = find_member(*object, "message");
  if (message != nullptr) {
    if (!message->is_string()) return errc::broken_frame;
    answer.message.assign(message->get_string().data(), message->get_string().size());
  }
  return answer;
}

} // namespace gotunnel::wire
