// A multiplexer's record as another process reads it (wire/resume.hpp), and a session that goes on from
// there.
//
// Whatever is accepted is a sound session: it can be attached, its streams be read, reset and finished, and
// what it is then can be saved and read again.
#include "gotunnel/wire/resume.hpp"

#include "fuzz/fuzz_input.hpp"

#include <algorithm>

using namespace gotunnel;
using namespace gotunnel::wire;
using testing::require;

namespace {

constexpr smux_config config{.role = smux_role::server, .resets = true, .resumable = true};
constexpr time_point now{std::chrono::hours(1)};
// Of frames; a peer's windows in the record may ask for a million updates.
constexpr int most_batches = 20;

void transmit(smux_core& core, resume& out) {
  for (int i = 0; i < most_batches && out.wants_write(); ++i) {
    const bytes_view bytes = out.next(now, 4096);
    while (core.poll_sent()) {
    }
    if (bytes.empty()) break;
    out.wrote(bytes.size());
  }
}

void go_on(smux_core& core, resume& out) {
  require(out.serves(core.acknowledged()));
  require(out.attach(core.acknowledged(), now).has_value());
  transmit(core, out);
  static constexpr std::byte word[] = {std::byte{1}, std::byte{2}};
  for (const stream_id id : core.unfinished()) {
    core.consumed(id, core.unread(id), now);
    if (!core.alive(id)) continue;
    if (id % 3 == 0)
      core.reset(id);
    else if (core.submit(id, word))
      core.finish(id);
  }
  transmit(core, out);
  for (const stream_id id : core.unfinished()) core.withdraw(id);
  (void)core.tick(now).has_value();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  record_reader from({reinterpret_cast<const std::byte*>(data), size});
  smux_core core(config, now);
  resume out(core, true);
  if (!out.load(from)) return 0;
  go_on(core, out);

  record_writer to;
  out.save(to);
  const auto bytes = to.take();
  record_reader again(bytes);
  smux_core next(config, now);
  resume next_out(next, true);
  require(next_out.load(again).has_value() && again.whole());
  require(next.received() == core.received() && next.transmitted() == core.transmitted());
  require(next.stream_count() == core.stream_count() && next.buffered() == core.buffered());
  return 0;
}
