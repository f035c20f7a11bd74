// The order in which the streams of a session send: fair in bytes, and quick for those that say little.
//
//   entry: a base of whatever has something to send; add(entry) when it has, remove(entry) when it has not
//   entry = front(); send one frame of it; sent(entry, bytes); and again
//
// Three lanes. Prioritized entries go first, always. Then those that have not used up the quantum they got
// when they came from idleness (as in fq_codel, RFC 8290): who says little overtakes the bulk. The rest take
// turns by deficit round robin. So a stream of small messages waits for the frame being sent, not for a round
// of all others; and no stream gets more than its share by emptying and filling again, because it counts as
// idle, and may overtake anew, only when a whole round has passed since its last quantum.
//
// Guarantees: no allocation; add, remove, front and sent take constant time; a destroyed entry leaves its
// lane by itself. While others wait for their turns, the overtaking lane has eight quanta in a row at most.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>

namespace gotunnel::wire {

class smux_scheduler {
public:
  class entry {
  public:
    [[nodiscard]] bool queued() const noexcept { return hook_.is_linked(); }

  private:
    friend smux_scheduler;
    enum class lane : std::uint8_t { prioritized, overtaking, turns };

    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> hook_;
    std::int64_t deficit_ = 0;     ///< bytes it may still send of its last quantum; below 0 when it sent more
    std::uint64_t granted_in_ = 0; ///< the round of its last quantum
    lane lane_ = lane::overtaking;
    bool prioritized_ = false;
  };

  /// `quantum`: bytes of an entry's turn; no frame may be longer.
  explicit smux_scheduler(std::size_t quantum) noexcept : quantum_(static_cast<std::int64_t>(quantum)) {}

  /// No effect on an entry that is queued already.
  void add(entry& waiting) noexcept;
  /// No effect on an entry that is not queued.
  void remove(entry& waiting) noexcept { waiting.hook_.unlink(); }
  void prioritize(entry& chosen) noexcept;

  [[nodiscard]] bool empty() const noexcept {
    return prioritized_.empty() && overtaking_.empty() && turns_.empty();
  }
  /// Who sends next, or nullptr. The same until sent(), add() or remove() is called.
  [[nodiscard]] entry* front() noexcept;
  /// The entry that front() named has sent `bytes`; call it before a remove() that follows from that.
  void sent(entry& sender, std::size_t bytes) noexcept;

private:
  using lane_list =
      boost::intrusive::list<entry,
                             boost::intrusive::member_hook<entry, decltype(entry::hook_), &entry::hook_>,
                             boost::intrusive::constant_time_size<false>>;

  void enqueue(entry& waiting, entry::lane lane) noexcept;
  [[nodiscard]] lane_list& list(entry::lane lane) noexcept;

  lane_list prioritized_;
  lane_list overtaking_;
  lane_list turns_;
  std::int64_t quantum_;
  std::int64_t overtaken_ = 0; ///< bytes sent by the overtaking lane since someone had a turn
  std::uint64_t round_ = 2;    ///< an entry that was never granted a quantum counts as idle
};

} // namespace gotunnel::wire
