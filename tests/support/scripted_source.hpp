// A source that gives what it is told to, and notes how much room it was offered.
//
//   scripted_source from;
//   from.add("hello").end("bye");          // the first take() gets "hello", the second "bye", the last
//
// What does not fit into the room stays for the next take(). Without anything to give it gives nothing.
#pragma once

#include "gotunnel/base/byte_source.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace gotunnel::testing {

class scripted_source final : public byte_source {
public:
  scripted_source& add(std::string text) {
    parts_.push_back(std::move(text));
    return *this;
  }
  /// The end is behind that.
  scripted_source& end(std::string text = {}) {
    if (!text.empty()) add(std::move(text));
    ends_ = true;
    return *this;
  }

  taken take(bytes_span room) override {
    rooms.push_back(room.size());
    if (parts_.empty()) return {0, ends_};
    std::string& part = parts_.front();
    const std::size_t count = std::min(room.size(), part.size());
    std::copy_n(as_bytes(part).begin(), count, room.begin());
    part.erase(0, count);
    if (part.empty()) parts_.pop_front();
    return {count, ends_ && parts_.empty()};
  }

  next look() override {
    if (!parts_.empty()) return next::bytes;
    return ends_ ? next::end : fails ? next::failure : next::nothing;
  }

  std::vector<std::size_t> rooms; ///< of each take()
  bool fails = false;             ///< when all has been given

private:
  std::deque<std::string> parts_;
  bool ends_ = false;
};

} // namespace gotunnel::testing
