// Values in a row, as one process hands them to the next on the same machine: little-endian, without names.
//
//   record_writer to;  to.put(port); to.put_bytes(name);  std::vector<std::byte> bytes = to.take();
//   record_reader from(bytes);  port = from.take<std::uint16_t>(); name = from.take_bytes();
//   if (!from.whole()) return errc::broken_frame;
//
// What is taken must be what was put, in the same order. A reader that runs out, or meets a value that its
// type does not have, is broken from then on: it gives zeros and empty views, so that the caller asks once,
// at the end. Views are of the bytes that it reads. Points in time are those of the steady clock, which all
// processes of a machine share.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/clock.hpp"

#include <algorithm>
#include <concepts>
#include <utility>
#include <vector>

namespace gotunnel {

class record_writer {
public:
  template <std::unsigned_integral Integer>
  void put(Integer value) {
    put_number(value, sizeof value);
  }
  void put(bool value) { put_number(value ? 1 : 0, 1); }
  void put(duration value) { put_number(static_cast<std::uint64_t>(value.count()), 8); }
  void put(time_point value) { put(value.time_since_epoch()); }
  /// Without a length: the reader knows it.
  void put_raw(bytes_view bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void put_bytes(bytes_view bytes) {
    put(std::uint64_t{bytes.size()});
    put_raw(bytes);
  }
  void put_text(std::string_view text) { put_bytes(as_bytes(text)); }

  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

private:
  void put_number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }

  std::vector<std::byte> bytes_;
};

class record_reader {
public:
  explicit record_reader(bytes_view bytes) noexcept : rest_(bytes) {}

  template <std::unsigned_integral Integer>
  [[nodiscard]] Integer take() noexcept {
    return static_cast<Integer>(take_number(sizeof(Integer)));
  }
  [[nodiscard]] bool take_flag() noexcept {
    const std::uint64_t value = take_number(1);
    require(value <= 1);
    return value == 1;
  }
  /// From 0 to longest: two of them can be added.
  static constexpr duration longest = std::chrono::hours(24 * 365 * 70);
  [[nodiscard]] duration take_duration() noexcept {
    const std::uint64_t count = take_number(8);
    require(count <= static_cast<std::uint64_t>(longest.count()));
    return broken_ ? duration::zero() : duration(static_cast<duration::rep>(count));
  }
  [[nodiscard]] time_point take_time() noexcept { return time_point(take_duration()); }
  [[nodiscard]] bytes_view take_raw(std::size_t count) noexcept {
    require(count <= rest_.size());
    const bytes_view taken = rest_.first(broken_ ? 0 : count);
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// Fills `to`, with zeros when the reader is broken.
  void take_into(bytes_span to) noexcept {
    const bytes_view taken = take_raw(to.size());
    std::copy(taken.begin(), taken.end(), to.begin());
    std::fill(to.begin() + static_cast<std::ptrdiff_t>(taken.size()), to.end(), std::byte{0});
  }
  [[nodiscard]] bytes_view take_bytes() noexcept {
    const auto count = take<std::uint64_t>();
    require(count <= rest_.size());
    return take_raw(broken_ ? 0 : static_cast<std::size_t>(count));
  }
  [[nodiscard]] std::string_view take_text() noexcept { return as_text(take_bytes()); }

  /// What the caller knows to be true of a sound record.
  void require(bool holds) noexcept { broken_ = broken_ || !holds; }
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  /// Sound, and read to its end.
  [[nodiscard]] bool whole() const noexcept { return !broken_ && rest_.empty(); }

private:
  [[nodiscard]] std::uint64_t take_number(std::size_t size) noexcept {
    const bytes_view taken = take_raw(size);
    std::uint64_t value = 0;
    for (std::size_t i = taken.size(); i-- > 0;)
      value = (value << 8) | std::to_integer<std::uint64_t>(taken[i]);
    return value;
  }

  bytes_view rest_;
  bool broken_ = false;
};

} // namespace gotunnel
