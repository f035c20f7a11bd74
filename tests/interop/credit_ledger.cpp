#include "interop/credit_ledger.hpp"

#include <algorithm>

namespace gotunnel::testing {
namespace {

constexpr std::size_t header_size = 8;
constexpr unsigned psh = 2;
constexpr unsigned nop = 3;
constexpr unsigned upd = 4;

} // namespace

// Written from the description of the format and not with wire/smux_frame, which is under test.
template <class Frame>
void credit_ledger::cutter::cut(bytes_view bytes, Frame&& frame) {
  while (!bytes.empty()) {
    const std::size_t passed = std::min(skip, bytes.size());
    skip -= passed;
    bytes = bytes.subspan(passed);
    if (bytes.empty()) return;
    const auto wanted = [&] {
      return head.size() < header_size || std::to_integer<unsigned>(head[1]) != upd ? header_size
                                                                                    : 2 * header_size;
    };
    while (!bytes.empty() && head.size() < wanted()) {
      head.push_back(bytes.front());
      bytes = bytes.subspan(1);
    }
    if (head.size() < wanted()) return;
    const std::size_t length = load_le16(bytes_view(head).subspan(2));
    frame(std::to_integer<unsigned>(head[1]), load_le32(bytes_view(head).subspan(4)), length);
    skip = length - (head.size() - header_size);
    head.clear();
  }
}

void credit_ledger::inbound(bytes_view bytes) {
  in_.cut(bytes, [&](unsigned command, std::uint32_t id, std::size_t) {
    if (command != upd) return;
    account& stream = accounts_[id];
    stream.consumed = load_le32(bytes_view(in_.head).subspan(8));
    stream.window = load_le32(bytes_view(in_.head).subspan(12));
    stream.lowest = std::min(stream.lowest, stream.credit());
    ++stream.updates;
  });
}

void credit_ledger::outbound(bytes_view bytes) {
  out_.cut(bytes, [&](unsigned command, std::uint32_t id, std::size_t length) {
    if (command == nop) ++keepalives_sent_;
    if (command != psh) return;
    account& stream = accounts_[id];
    stream.sent += static_cast<std::int64_t>(length);
    if (stream.credit() < 0) ++violations_;
    stream.lowest = std::min(stream.lowest, stream.credit());
  });
}

} // namespace gotunnel::testing
