#include "gotunnel/wire/cidr.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gotunnel::wire {
namespace {

constexpr int mapped_bits = 96; // ::ffff:0:0/96 (RFC 4291 2.5.5.2)

/// The first `bits` bits of both are the same.
bool same_prefix(const std::array<std::byte, 16>& a, const std::array<std::byte, 16>& b, int bits) noexcept {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == std::byte{0};
}

std::array<std::byte, 16> masked(const std::array<std::byte, 16>& address, int bits) noexcept {
  std::array<std::byte, 16> network{};
  const auto whole = static_cast<std::size_t>(bits / 8);
  std::copy_n(address.begin(), whole, network.begin());
  const int rest = bits % 8;
  if (rest != 0) network[whole] = address[whole] & (std::byte{0xff} << (8 - rest));
  return network;
}

bool mapped(const std::array<std::byte, 16>& address) noexcept {
  constexpr std::array<std::byte, 16> prefix = {
      {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}}};
  return same_prefix(address, prefix, mapped_bits);
}

} // namespace

/// Why `text` is no network; empty when it is one.
std::string cidr_set::read(std::string_view text, network& to) {
  if (text.empty()) return "an empty item; write networks with commas between them";
  const std::size_t slash = text.find('/');
  const std::string address{text.substr(0, slash)};
  to.v6 = address.find(':') != std::string::npos;
  const bool valid = address.find('\0') == std::string::npos &&
                     inet_pton(to.v6 ? AF_INET6 : AF_INET, address.c_str(), to.ip.data()) == 1;
  if (!valid) return fmt::format("\"{}\" is not an IP address", address);

  const int most = to.v6 ? 128 : 32;
  to.bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    const char* const end = length.data() + length.size();
    const auto [stop, failure] = std::from_chars(length.data(), end, to.bits);
    if (failure != std::errc{} || stop != end || to.bits < 0 || to.bits > most)
      return fmt::format("\"{}\" in \"{}\" is not a prefix length from 0 to {}", length, text, most);
  }
  const network meant{to.v6, masked(to.ip, to.bits), to.bits};
  if (meant.ip != to.ip)
    return fmt::format("\"{}\" has bits behind its prefix; write {} for the network, or {} for the address",
                       text, to_string(meant), address);
  if (to.v6 && to.bits >= mapped_bits && mapped(to.ip)) {
    network v4{false, {}, to.bits - mapped_bits};
    std::copy_n(to.ip.begin() + 12, 4, v4.ip.begin());
    to = v4;
  }
  return {};
}

parsed<cidr_set> cidr_set::parse(std::string_view text) {
  cidr_set set;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    network next;
    if (std::string why = read(text.substr(start, comma - start), next); !why.empty()) return why;
    if (set.networks_.size() == limit) return fmt::format("more than {} networks", limit);
    set.networks_.push_back(next);
    start = comma + 1;
  }
  return set;
}

bool cidr_set::permits(const ip_endpoint& who) const noexcept {
  const auto holds = [&who](const network& each) {
    return each.v6 == who.v6 && same_prefix(each.ip, who.ip, each.bits);
  };
  return networks_.empty() || std::any_of(networks_.begin(), networks_.end(), holds);
}

std::string cidr_set::to_string(const network& each) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(each.v6 ? AF_INET6 : AF_INET, each.ip.data(), text.data(), text.size());
  return fmt::format("{}/{}", text.data(), each.bits);
}

std::string cidr_set::to_string() const {
  std::string text;
  for (const network& each : networks_) {
    if (!text.empty()) text += ',';
    text += to_string(each);
  }
  return text;
}

} // namespace gotunnel::wire
