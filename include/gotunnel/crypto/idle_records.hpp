// How many records without data a peer may send: key updates, tickets, warnings, empty data. Each costs
// the receiver more than its few bytes cost the sender, and none of them is progress.
//
//   if (!allowed.spend()) fail(...);          // such a record has come
//   allowed.earn(plain.size());               // data has come
//
// 32 in a row end the connection. Data earns further ones, 16 KiB one each, so that a byte of data between
// them buys nothing. An honest peer changes its key once in millions of records.
#pragma once

#include <algorithm>
#include <cstddef>

namespace gotunnel::crypto {

class idle_records {
public:
  static constexpr std::size_t in_a_row = 32;
  static constexpr std::size_t price = 16 * 1024; ///< bytes of data that earn one

  [[nodiscard]] bool spend() noexcept {
    if (credit_ < price) return false;
    credit_ -= price;
    return true;
  }
  void earn(std::size_t bytes) noexcept { credit_ = std::min(full, credit_ + std::min(full, bytes)); }

private:
  static constexpr std::size_t full = in_a_row * price;
  std::size_t credit_ = full;
};

} // namespace gotunnel::crypto
