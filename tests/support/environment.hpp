// An environment variable for as long as a test needs it; what was there before comes back.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace gotunnel::testing {

class variable {
public:
  /// No value: it is not set.
  variable(std::string name, const std::optional<std::string>& value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    set(value);
  }
  variable(const variable&) = delete;
  variable& operator=(const variable&) = delete;
  ~variable() { set(before_); }

private:
  void set(const std::optional<std::string>& value) const {
    if (value)
      ::setenv(name_.c_str(), value->c_str(), 1);
    else
      ::unsetenv(name_.c_str());
  }

  std::string name_;
  std::optional<std::string> before_;
};

} // namespace gotunnel::testing
