#include "gotunnel/wire/proxy_header.hpp"

#include <algorithm>

namespace gotunnel::wire {
namespace {

// All from proxy-protocol.txt, section 2.2.
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t command_at = 12;
constexpr std::size_t family_at = 13;
constexpr std::size_t length_at = 14;
constexpr std::size_t fixed_size = 16;

constexpr std::uint8_t version_mask = 0xf0;
constexpr std::uint8_t version_2 = 0x20;
constexpr std::uint8_t command_local = 0x20;
constexpr std::uint8_t command_proxy = 0x21;

constexpr std::uint8_t unspecified = 0x00;
constexpr std::uint8_t tcp_over_ipv4 = 0x11;
constexpr std::uint8_t udp_over_ipv4 = 0x12;
constexpr std::uint8_t tcp_over_ipv6 = 0x21;
constexpr std::uint8_t udp_over_ipv6 = 0x22;
constexpr std::uint8_t unix_stream = 0x31;
constexpr std::uint8_t unix_datagram = 0x32;
constexpr std::size_t unix_addresses_size = 216;

constexpr std::size_t tlv_head_size = 3;
constexpr std::uint8_t tlv_service = 0xe0; // PP2_TYPE_MIN_CUSTOM
constexpr std::size_t service_size = 8;

constexpr std::array<std::byte, 12> mapped_prefix{
    {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}}};

constexpr std::size_t ip_size(bool v6) { return v6 ? 16 : 4; }
constexpr std::size_t addresses_size(bool v6) { return 2 * ip_size(v6) + 2 * sizeof(std::uint16_t); }

std::uint8_t octet(bytes_view bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

void append(bytes_view bytes, std::vector<std::byte>& to) { to.insert(to.end(), bytes.begin(), bytes.end()); }
void append_octet(std::uint8_t value, std::vector<std::byte>& to) { to.push_back(std::byte{value}); }
void append_be16(std::size_t value, std::vector<std::byte>& to) {
  std::array<std::byte, 2> bytes{};
  store_be16(bytes, static_cast<std::uint16_t>(value));
  append(bytes, to);
}

void append_ip(const ip_endpoint& from, bool v6, std::vector<std::byte>& to) {
  if (v6 && !from.v6) append(mapped_prefix, to);
  append(bytes_view{from.ip}.first(ip_size(from.v6)), to);
}

ip_endpoint take_ip(bytes_view ip, bytes_view port) {
  ip_endpoint endpoint;
  endpoint.port = load_be16(port);
  const bool mapped =
      ip.size() == ip_size(true) && std::equal(mapped_prefix.begin(), mapped_prefix.end(), ip.begin());
  if (mapped) ip = ip.subspan(mapped_prefix.size());
  endpoint.v6 = ip.size() == ip_size(true);
  std::copy(ip.begin(), ip.end(), endpoint.ip.begin());
  return endpoint;
}

proxy_header::addresses take_addresses(bytes_view block, bool v6) {
  const std::size_t ip = ip_size(v6);
  const bytes_view ports = block.subspan(2 * ip);
  return {take_ip(block.first(ip), ports), take_ip(block.subspan(ip, ip), ports.subspan(2))};
}

/// How long the block of addresses is; nothing for a family that the document does not allow.
std::optional<std::size_t> block_size_of(std::uint8_t family) {
  switch (family) {
  case unspecified: return 0;
  case tcp_over_ipv4:
  case udp_over_ipv4: return addresses_size(false);
  case tcp_over_ipv6:
  case udp_over_ipv6: return addresses_size(true);
  case unix_stream:
  case unix_datagram: return unix_addresses_size;
  default: return std::nullopt;
  }
}

/// False when a TLV reaches beyond the header.
bool read_tlvs(bytes_view bytes, proxy_header& to) {
  while (!bytes.empty()) {
    if (bytes.size() < tlv_head_size) return false;
    const std::uint8_t type = octet(bytes, 0);
    const std::size_t length = load_be16(bytes.subspan(1));
    bytes = bytes.subspan(tlv_head_size);
    if (bytes.size() < length) return false;
    // Custom types are anybody's: one of another length is not our service id.
    if (type == tlv_service && length == service_size) to.service = load_be64(bytes);
    bytes = bytes.subspan(length);
  }
  return true;
}

} // namespace

void encode(const proxy_header& header, std::vector<std::byte>& to) {
  const bool v6 = header.peer && (header.peer->source.v6 || header.peer->destination.v6);
  const std::size_t addresses = header.peer ? addresses_size(v6) : 0;
  const std::size_t tlvs = header.service ? tlv_head_size + service_size : 0;

  append(as_bytes(signature), to);
  append_octet(command_proxy, to);
  append_octet(!header.peer ? unspecified : v6 ? tcp_over_ipv6 : tcp_over_ipv4, to);
  append_be16(addresses + tlvs, to);
  if (header.peer) {
    append_ip(header.peer->source, v6, to);
    append_ip(header.peer->destination, v6, to);
    append_be16(header.peer->source.port, to);
    append_be16(header.peer->destination.port, to);
  }
  if (header.service) {
    append_octet(tlv_service, to);
    append_be16(service_size, to);
    std::array<std::byte, service_size> id{};
    store_be64(id, *header.service);
    append(id, to);
  }
}

result<std::optional<proxy_header_read>> read_proxy_header(bytes_view bytes) {
  // Each byte is judged as soon as it is there: who speaks something else must not make us wait for more.
  const std::size_t known = std::min(bytes.size(), signature.size());
  if (as_text(bytes.first(known)) != signature.substr(0, known)) return errc::broken_frame;
  if (bytes.size() <= command_at) return std::nullopt;
  const std::uint8_t command = octet(bytes, command_at);
  if ((command & version_mask) != version_2 || command > command_proxy) return errc::broken_frame;
  if (bytes.size() < fixed_size) return std::nullopt;

  proxy_header_read read;
  read.size = fixed_size + load_be16(bytes.subspan(length_at));
  if (read.size > proxy_header_limit) return errc::limit_exceeded;
  const std::uint8_t family = octet(bytes, family_at);
  const auto addresses = block_size_of(family);
  // LOCAL: "the receiver must ... discard the protocol block including the family which is ignored".
  if (command != command_local && (!addresses || fixed_size + *addresses > read.size))
    return errc::broken_frame;
  if (bytes.size() < read.size) return std::nullopt;
  if (command == command_local) return read;

  const bytes_view block = bytes.subspan(fixed_size, *addresses);
  if (*addresses == addresses_size(false) || *addresses == addresses_size(true))
    read.header.peer = take_addresses(block, *addresses == addresses_size(true));
  const std::size_t tlvs_at = fixed_size + *addresses;
  if (!read_tlvs(bytes.subspan(tlvs_at, read.size - tlvs_at), read.header)) return errc::broken_frame;
  return read;
}

} // namespace gotunnel::wire
