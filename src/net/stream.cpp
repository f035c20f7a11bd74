// What streams do that have no better way.
#include "gotunnel/net/stream.hpp"

#include "gotunnel/base/block_pool.hpp"

namespace gotunnel::net {

task<> stream::write_last(bytes_view bytes) {
  const auto written = co_await write(bytes);
  if (!written) co_return written.error();
  co_return co_await shut();
}

task<> stream::wait_readable() {
  const auto there = co_await read();
  if (!there) co_return there.error();
  co_return result<>();
}

task<byte_source::taken> stream::write_from(byte_source& source) {
  const block room(block_size::large);
  const auto got = source.take(room.span());
  const bytes_view bytes = room.span().first(got.count);
  result<> written;
  if (!bytes.empty()) written = co_await write(bytes);
  if (written && got.last) written = co_await shut();
  if (!written) co_return written.error();
  co_return got;
}

} // namespace gotunnel::net
