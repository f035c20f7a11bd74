// Log lines (warnings and errors) as part of what a test asserts: a line that nobody expected fails the test.
//
//   log_capture log; ...; log.expect("cannot accept");      // takes one line that holds the text, or fails
//
// One at a time; any thread may log. support/run.hpp keeps one for every body that it runs.
#pragma once

#include "gotunnel/base/log.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace gotunnel::testing {

class log_capture {
public:
  log_capture() { log::divert(&to_here_); }
  log_capture(const log_capture&) = delete;
  log_capture& operator=(const log_capture&) = delete;
  ~log_capture() {
    log::divert(nullptr);
    for (const std::string& line : lines_) BOOST_ERROR("unexpected log line: " + line);
  }

  void expect(std::string_view text) {
    if (!take(text)) BOOST_ERROR("no log line holds: " + std::string(text));
  }
  [[nodiscard]] bool take(std::string_view text) {
    const std::lock_guard guard(mutex_);
    const auto holds = [text](const std::string& line) { return line.find(text) != std::string::npos; };
    const auto found = std::find_if(lines_.begin(), lines_.end(), holds);
    if (found == lines_.end()) return false;
    lines_.erase(found);
    return true;
  }

private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  log::listener to_here_ = [this](log::level, std::string_view channel, std::string_view sentence) {
    const std::lock_guard guard(mutex_);
    lines_.push_back(std::string(channel) + ": " + std::string(sentence));
  };
};

} // namespace gotunnel::testing
