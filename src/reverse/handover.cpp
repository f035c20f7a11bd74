#include "gotunnel/reverse/handover.hpp"

namespace gotunnel::reverse {

record_writer begin_part(handover_part part) {
  record_writer record;
  record.put(static_cast<std::uint8_t>(part));
  return record;
}

result<net::parcel> expect_part(net::parcel_socket& from, handover_part part, duration limit) {
  auto got = from.receive(limit);
  if (!got) return got;
  if (got->bytes.empty() || got->bytes.front() != static_cast<std::byte>(part)) return errc::broken_frame;
  return got;
}

record_reader reader_of(const net::parcel& parcel) {
  return record_reader(bytes_view{parcel.bytes}.subspan(1));
}

} // namespace gotunnel::reverse
