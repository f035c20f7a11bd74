// One smux session as a sans-IO machine: streams over one ordered byte channel, byte-compatible with
// xtaci/smux v1 and v2.
//
// The driver's loop:
//   core.feed(bytes, now); while (next = core.poll()) handle the event     // bytes from the carrier; `bytes` stay valid meanwhile
//   n = core.transmit(buffer, now); while (id = core.poll_sent()) wake it  // bytes for the carrier, when it can take some
//   core.tick(now) when core.deadline() has come                           // keepalive
// and on behalf of streams: open, submit, finish, reset, consumed.
//
// Sending: a stream offers one view at a time (`submit`); the machine copies from it while filling
// `transmit`'s buffer and names the stream in `poll_sent` once all of it went out. Or it offers a source,
// which is asked for bytes when it is their turn, and puts them into that buffer itself.
// Nothing else is queued, so the queue is bounded by the callers' own buffers. Control frames (SYN, UPD, NOP,
// RST) overtake data; FIN stays behind the data of its own stream; a prioritized stream goes before all
// others, then streams that were idle, then the rest in turns. Receiving: payload is handed on as it arrives,
// in pieces; the caller keeps it and reports `consumed` when it is drained. Windows grow with the
// bandwidth-delay product while the session's memory budget allows, and begin smaller among many streams
// (smux_window.hpp). When the budget is used up not_read() names streams to be reset. FIN is a half-close:
// the other direction stays open until its own FIN. Between two gotunnels `resets` adds a frame that smux
// lacks (command 5, payload: reason u32 LE); towards other peers a reset is sent as FIN and the stream is
// forgotten. `resumable` adds another (6, see smux_ack.hpp): both sides then know what the other has
// received, and the session goes on on a new carrier from there (wire/resume.hpp, which keeps the bytes).
//
// A broken peer is an error from poll() or tick(); the session is over then, and no call but the destructor
// makes sense. One thread; no clock, no socket, no allocation per frame after the tables have grown.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/record.hpp"
#include "gotunnel/wire/smux_ack.hpp"
#include "gotunnel/wire/smux_frame.hpp"
#include "gotunnel/wire/smux_scheduler.hpp"
#include "gotunnel/wire/smux_stream.hpp"

#include <boost/intrusive/list.hpp>

#include <array>
#include <deque>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

namespace gotunnel::wire {

/// Without another agreement both sides speak at least that often, and are given up after three times as
/// long.
inline constexpr duration default_keepalive = 4s;
inline constexpr int keepalives_missed = 3;
/// Beyond that nobody could call a session alive.
inline constexpr duration longest_keepalive = 10min;

/// Decides only the parity of the ids we open: the first is 3 for a client and 2 for a server.
enum class smux_role { client, server };

/// Why a stream was reset, as the RST frame carries it.
enum class smux_reset_reason : std::uint32_t {
  aborted = 0,          ///< the far end of the stream was reset or failed
  unreachable = 1,      ///< the local service could not be dialled
  too_many_streams = 2, ///< the opener is above the limit or rate of the receiver
  not_read = 3,         ///< the receiver closed its end without reading what came
};

struct smux_config {
  smux_role role = smux_role::client;
  std::uint8_t version = 2;
  bool resets = false;                          ///< the peer understands RST
  bool resumable = false;                       ///< the peer understands ACK
  std::size_t max_frame = 32 * 1024;            ///< payload bytes of one PSH we send, 1..65535
  std::uint32_t max_window = 16 * 1024 * 1024;  ///< a stream's window never grows beyond this many bytes
  std::size_t memory_budget = 64 * 1024 * 1024; ///< bytes of this session that may wait for slow readers
  duration not_read_after = 100ms;              ///< see smux_core::not_read()
  stream_id last_id = std::numeric_limits<stream_id>::max(); ///< the greatest that we open a stream by
  std::size_t max_peer_streams = 32 * 1024;                  ///< streams opened by the peer and alive at once
  double opens_per_second = 20'000;                          ///< sustained rate of the peer's SYN frames ...
  double opens_burst = 20'000;                               ///< ... and how many it may save up
  bool strict_opens = false; ///< above these: true ends the session, false resets the stream
  /// A peer without RST forgets a stream when it sends FIN (xtaci/smux Close) and never grants window again:
  /// a write that makes no progress for this long after such a FIN goes nowhere. For the driver.
  duration forgotten_after = 60s;
  /// A NOP when nothing else was sent for this long; 0: never. A resumable client asks instead.
  duration keepalive_interval = default_keepalive;
  /// Silence of the peer that ends the session; 0: none does.
  duration keepalive_timeout = keepalives_missed * default_keepalive;
};

struct smux_event {
  enum class kind { opened, data, finished, reset };
  kind what = kind::opened;
  stream_id id = 0;
  bytes_view bytes{};                                    ///< data: a piece of the fed view
  smux_reset_reason reason = smux_reset_reason::aborted; ///< reset
};

class smux_core {
public:
  smux_core(const smux_config& config, time_point now);
  smux_core(const smux_core&) = delete;
  smux_core& operator=(const smux_core&) = delete;

  // --- bytes from the peer
  void feed(bytes_view bytes, time_point now);
  /// The next event of the fed bytes; nothing when all of them are used up.
  [[nodiscard]] result<std::optional<smux_event>> poll();

  // --- bytes to the peer
  [[nodiscard]] bool wants_transmit() const noexcept;
  /// Fills `out` (64 bytes at least) with whole frames; the number of bytes filled, 0 when there is nothing
  /// to say.
  [[nodiscard]] std::size_t transmit(bytes_span out, time_point now);
  /// An ACK is due: it goes first into the next transmit().
  [[nodiscard]] bool ack_due() const noexcept { return ack_.due(); }
  /// A stream whose offer is over since the last call, its bytes gone out, or nothing.
  [[nodiscard]] std::optional<stream_id> poll_sent();

  // --- keepalive
  [[nodiscard]] time_point deadline() const noexcept;
  [[nodiscard]] result<> tick(time_point now);
  /// What both sides have agreed on, from now on.
  void set_keepalive(duration interval) noexcept;

  // --- a new carrier, when `resumable`
  /// Bytes of the peer fed so far.
  [[nodiscard]] std::uint64_t received() const noexcept { return ack_.received(); }
  /// Bytes of ours that the peer has told to have received, of those transmitted.
  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return ack_.acknowledged(); }
  [[nodiscard]] std::uint64_t transmitted() const noexcept { return ack_.sent(); }
  /// Goes on; the bytes from `peer_received` on are sent anew by the caller. errc::broken_frame when the peer
  /// cannot have received that. tick() was not called, and nothing fed, since the old carrier broke.
  [[nodiscard]] result<> attach(std::uint64_t peer_received, time_point now) noexcept;
  /// True once each time that an answer is overdue: the carrier may be dead.
  [[nodiscard]] bool take_doubt() noexcept { return ack_.take_doubt(); }
  /// Asks for a sign of life; take_doubt() tells when `patience`, or two round trips, brought none.
  void ask(time_point now, duration patience) noexcept;

  // --- streams. An id that is no longer alive is ignored by all of these but open() and submit().
  /// errc::ids_used_up when there are no more.
  [[nodiscard]] result<stream_id> open();
  /// Streams that open() may still open.
  [[nodiscard]] std::uint64_t ids_left() const noexcept;
  /// Offers `bytes`, not empty, borrowed until poll_sent() names the id or the stream ends. One offer at a
  /// time; errc::closed after finish(), errc::reset when the stream is gone.
  [[nodiscard]] result<> submit(stream_id id, bytes_view bytes);
  /// The same with a source, which is asked when there is a window and it is the stream's turn, until it has
  /// given 64 KiB (the largest frame), has no more, or the window is used up; poll_sent() then names the id.
  /// Behind its last bytes goes the FIN.
  [[nodiscard]] result<> submit(stream_id id, byte_source& source);
  /// Bytes may be sent now as far as the peer's window goes.
  [[nodiscard]] bool has_window(stream_id id) const noexcept;
  /// Takes an offer back; what was already framed stays sent.
  void withdraw(stream_id id) noexcept;
  /// No more bytes from us: FIN, after what is offered.
  void finish(stream_id id);
  void reset(stream_id id, smux_reset_reason reason = smux_reset_reason::aborted);
  /// The reader has drained `count` bytes of what data events brought.
  void consumed(stream_id id, std::size_t count, time_point now);
  /// This stream's data goes ahead of all others' (the control stream).
  void prioritize(stream_id id);

  // --- what the driver and the counters want to know
  [[nodiscard]] bool alive(stream_id id) const noexcept;
  [[nodiscard]] std::size_t stream_count() const noexcept;
  [[nodiscard]] std::size_t buffered() const noexcept; ///< received and not yet consumed, all streams
  /// The peer has filled the session's memory budget. The driver resets what not_read() names, and if that is
  /// nothing, because all readers are busy, it does not read the carrier until one has drained something.
  [[nodiscard]] bool over_budget() const noexcept;
  /// The process as a whole may lend less than `memory_budget` at times, and want small windows.
  void set_memory(std::uint64_t allowance, bool tight) noexcept;
  /// While over_budget(): the streams to be reset so that the others go on. These are streams of which
  /// nothing was drained for `not_read_after`, those that have waited longest first, as many as make a
  /// quarter of the budget free. A stream that has brought its reader more than kernels keep goes after those
  /// that have not.
  [[nodiscard]] std::vector<stream_id> not_read(time_point now) const;
  /// The carrier's round-trip time as the kernel measures it; windows grow by it. 1 ms until told.
  void set_round_trip(duration rtt) noexcept;

  // --- another process, when `resumable` (wire/resume.hpp)
  /// Everything but what streams offer, and the end behind that: their owners offer it anew.
  void save(record_writer& to) const;
  /// Into a core that has not been used, with the same role and version; the reader is broken when that
  /// cannot have been saved, and the core is of no use then.
  void load(record_reader& from);
  /// What is left of the bytes that the stream offers.
  [[nodiscard]] bytes_view offered(stream_id id) const noexcept;
  /// Received by the stream and not consumed.
  [[nodiscard]] std::size_t unread(stream_id id) const noexcept;
  /// The streams that have anything to do but to send the FIN that is due.
  [[nodiscard]] std::vector<stream_id> unfinished() const;

private:
  // Ids of the peer are hashed with a seed that it cannot know: chosen ids would otherwise share one bucket.
  struct id_hash {
    std::uint64_t seed;
    [[nodiscard]] std::size_t operator()(stream_id id) const noexcept;
  };
  /// The last frame of a stream that is no longer in the table.
  struct farewell {
    stream_id id;
    smux_reset_reason reason;
    bool refusal; ///< it answers a SYN that was never accepted
  };
  struct frame_writer;

  // smux_core_receive.cpp
  [[nodiscard]] std::optional<bytes_view> gather(std::size_t size) noexcept;
  [[nodiscard]] result<std::optional<smux_event>> take_header();
  [[nodiscard]] result<std::optional<smux_event>> take_body();
  [[nodiscard]] result<std::optional<smux_event>> on_syn();
  [[nodiscard]] std::optional<smux_event> on_fin();
  [[nodiscard]] result<> on_psh();
  [[nodiscard]] smux_event on_reset(smux_stream& stream, bytes_view payload);
  [[nodiscard]] bool admits_stream() noexcept;

  // smux_core_transmit.cpp
  void write_ack(frame_writer& to);
  [[nodiscard]] bool write_control(frame_writer& to);
  void write_update(frame_writer& to, smux_stream& stream);
  void write_streams(frame_writer& to);
  [[nodiscard]] bool write_data(frame_writer& to, smux_stream& stream);
  void write_offer(frame_writer& to, smux_stream& stream, std::size_t size);
  void write_source(frame_writer& to, smux_stream& stream, std::size_t size);
  [[nodiscard]] window_climate climate() const noexcept;

  // smux_core_record.cpp
  void load_input(record_reader& from) noexcept;
  void load_stream(record_reader& from);

  // smux_core.cpp
  [[nodiscard]] duration keepalive_interval() const noexcept;
  [[nodiscard]] time_point question_due() const noexcept;
  void mind_acks(time_point now) noexcept;
  // Ids of one opener are two apart.
  [[nodiscard]] smux_stream*& recent_slot(stream_id id) const noexcept {
    return recent_[(id / 2) % recent_.size()];
  }
  [[nodiscard]] smux_stream* find(stream_id id) const noexcept;
  [[nodiscard]] result<smux_stream*> find_offerer(stream_id id) const noexcept;
  [[nodiscard]] smux_stream& add_stream(stream_id id, bool from_peer);
  void erase(smux_stream& stream);
  void erase_if_over(smux_stream& stream);
  void schedule(smux_stream& stream) noexcept;
  void queue_control(smux_stream& stream) noexcept;
  void forget_sent(stream_id id) noexcept;
  [[nodiscard]] std::size_t budget() const noexcept;
  void begin_small(smux_stream& stream);

  smux_config config_;
  std::unordered_map<stream_id, smux_stream, id_hash> streams_;
  /// The last found of each recent_slot(): spares the hash table.
  mutable std::array<smux_stream*, 64> recent_{};
  std::uint64_t next_id_;
  std::size_t peer_streams_ = 0; ///< alive and opened by the peer
  std::uint64_t drained_ = 0;    ///< bytes, by all readers so far
  std::size_t buffered_ = 0;
  std::uint64_t growth_ = 0; ///< of all receive windows together
  duration round_trip_ = 1ms;
  std::uint64_t allowance_ = std::numeric_limits<std::uint64_t>::max();
  bool tight_ = false; ///< all sessions together have much waiting
  error_code broken_;

  // receiving
  bytes_view input_; ///< what is left of the fed bytes
  smux_header header_;
  std::size_t body_left_ = 0; ///< of the frame of header_
  bool deliver_ = false;      ///< the body is for a stream that was alive when its header came
  /// A header, or the body of a control frame, that comes in pieces.
  std::array<std::byte, 8> gathered_bytes_;
  std::size_t gathered_ = 0;
  double open_tokens_;
  time_point open_tokens_at_;

  // sending
  smux_scheduler scheduler_;
  /// With a SYN or UPD to send.
  boost::intrusive::list<smux_stream, boost::intrusive::constant_time_size<false>> control_;
  std::deque<farewell> farewells_;
  std::size_t refusals_ = 0;    ///< among farewells_
  std::vector<stream_id> sent_; ///< for poll_sent(), from sent_told_ on
  std::size_t sent_told_ = 0;
  bool nop_pending_ = false;
  smux_ack ack_;

  // keepalive
  time_point received_at_;
  time_point transmitted_at_;
  time_point moved_at_; ///< more than keepalives and ACKs, in either direction
  bool paused_ = false; ///< since received_at_ it was us who did not read
};

} // namespace gotunnel::wire
