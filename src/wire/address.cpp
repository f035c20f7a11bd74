#include "gotunnel/wire/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gotunnel::wire {
namespace {

constexpr std::size_t host_limit = 253;      // RFC 1035 2.3.4: 255 bytes on the wire, as text
constexpr std::size_t zone_limit = 15;       // IFNAMSIZ without its NUL
constexpr std::size_t unix_path_limit = 107; // sockaddr_un::sun_path without its NUL
constexpr std::string_view unix_scheme = "unix:";

/// Why a text is not what it should be; empty when nothing is wrong.
using reason = std::string;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_host_character(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

bool all_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

reason read_port(std::string_view text, std::uint16_t& to) {
  if (text.empty()) return "the port is missing";
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, to);
  // from_chars takes neither a sign nor white space into an unsigned integer.
  if (failure != std::errc{} || stop != end)
    return fmt::format("port \"{}\" is not a number from 0 to 65535", text);
  return {};
}

reason check_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string address{text.substr(0, percent)};
  in6_addr ignored{};
  bool valid = address.find('\0') == std::string::npos && inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
  if (percent != std::string_view::npos) {
    const std::string_view zone = text.substr(percent + 1);
    valid = valid && !zone.empty() && zone.size() <= zone_limit &&
            std::all_of(zone.begin(), zone.end(), is_host_character);
  }
  return valid ? reason{} : fmt::format("\"{}\" in brackets is not an IPv6 address", text);
}

reason check_host(std::string_view text) {
  if (text.size() > host_limit) return fmt::format("the host name is longer than {} bytes", host_limit);
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; }))
    return fmt::format(
        "\"{}\" holds characters outside ASCII; give the name's ASCII form (xn--...), which the "
        "program idn2 prints",
        text);
  if (!std::all_of(text.begin(), text.end(), is_host_character))
    return fmt::format("\"{}\" holds a character that no host name has", text);
  if (text.starts_with('.') || text.find("..") != std::string_view::npos)
    return fmt::format("\"{}\" has an empty label", text);
  // No top-level domain is a number (RFC 3696 2), but resolvers take "10.1" for 10.0.0.1: refuse the
  // surprise.
  const std::size_t dot = text.rfind('.');
  if (all_digits(dot == std::string_view::npos ? text : text.substr(dot + 1))) {
    in_addr ignored{};
    if (inet_pton(AF_INET, std::string{text}.c_str(), &ignored) != 1)
      return fmt::format("\"{}\" is not an IPv4 address", text);
  }
  return {};
}

/// Both forms with a host, which may be empty here.
reason read_host_port(std::string_view text, host_port& to) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return "the closing bracket is missing";
    if (!text.substr(close + 1).starts_with(':')) return "the port is missing: write [address]:port";
    const std::string_view host = text.substr(1, close - 1);
    to.host = host;
    reason why = check_ipv6(host);
    return why.empty() ? read_port(text.substr(close + 2), to.port) : why;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return "the port is missing: write host:port";
  if (text.find(':', colon + 1) != std::string_view::npos)
    return "an IPv6 address needs brackets: write [address]:port";
  const std::string_view host = text.substr(0, colon);
  to.host = host;
  reason why = check_host(host);
  return why.empty() ? read_port(text.substr(colon + 1), to.port) : why;
}

} // namespace

parsed<host_port> parse_peer(std::string_view text) {
  host_port address;
  if (reason why = read_host_port(text, address); !why.empty()) return why;
  if (address.host.empty()) return "the host is missing";
  if (address.port == 0) return "port 0 cannot be connected to";
  return address;
}

parsed<host_port> parse_listen(std::string_view text) {
  host_port address;
  reason why = all_digits(text) ? read_port(text, address.port) : read_host_port(text, address);
  if (!why.empty()) return why;
  return address;
}

parsed<std::variant<host_port, unix_path>> parse_target(std::string_view text) {
  using target = std::variant<host_port, unix_path>;
  if (text.starts_with(unix_scheme)) {
    const std::string_view path = text.substr(unix_scheme.size());
    if (path.empty()) return "the path is missing after unix:";
    if (path.size() > unix_path_limit)
      return fmt::format("the path is longer than {} bytes, the limit of the system", unix_path_limit);
    if (path.find('\0') != std::string_view::npos) return "the path holds a NUL byte";
    return target{unix_path{std::string{path}}};
  }
  auto peer = parse_peer(text);
  if (auto* why = std::get_if<std::string>(&peer)) return std::move(*why);
  return target{std::get<host_port>(std::move(peer))};
}

std::string to_string(const host_port& address) {
  if (address.host.find(':') != std::string::npos) return fmt::format("[{}]:{}", address.host, address.port);
  return fmt::format("{}:{}", address.host, address.port);
}

std::string to_string(const std::variant<host_port, unix_path>& target) {
  if (const auto* path = std::get_if<unix_path>(&target)) return fmt::format("{}{}", unix_scheme, path->path);
  return to_string(std::get<host_port>(target));
}

parsed<port_set> port_set::parse(std::string_view text) {
  std::vector<range> ranges;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view item = text.substr(start, comma - start);
    start = comma + 1;

    const std::size_t dash = item.find('-');
    range next{};
    if (reason why = read_port(item.substr(0, dash), next.first); !why.empty()) return why;
    next.last = next.first;
    if (dash != std::string_view::npos)
      if (reason why = read_port(item.substr(dash + 1), next.last); !why.empty()) return why;
    if (next.first == 0) return "port 0 is not a port that can be published";
    if (next.last < next.first) return fmt::format("the range \"{}\" ends before it begins", item);
    ranges.push_back(next);
  }

  // Sorted and merged, so that two ways to write one set read the same.
  std::sort(ranges.begin(), ranges.end(), [](range a, range b) { return a.first < b.first; });
  port_set set;
  for (const range next : ranges) {
    if (!set.ranges_.empty() && next.first <= set.ranges_.back().last + 1)
      set.ranges_.back().last = std::max(set.ranges_.back().last, next.last);
    else
      set.ranges_.push_back(next);
  }
  return set;
}

bool port_set::contains(std::uint16_t port) const noexcept {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [port](range r) { return r.first <= port && port <= r.last; });
}

bool port_set::any_below(std::uint16_t port) const noexcept {
  return std::any_of(ranges_.begin(), ranges_.end(), [port](range r) { return r.first < port; });
}

std::string port_set::to_string() const {
  std::string text;
  for (const range r : ranges_) {
    if (!text.empty()) text += ',';
    text += r.first == r.last ? fmt::format("{}", r.first) : fmt::format("{}-{}", r.first, r.last);
  }
  return text;
}

} // namespace gotunnel::wire
