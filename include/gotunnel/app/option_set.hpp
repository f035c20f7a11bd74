// The options of one sub-command, in the spelling of Go's flag package: `-x v`, `-x=v`, `--x v`, `--x=v`; a
// switch is `-x` or
// `-x=false` and never takes the next word; a value may begin with a dash; the last one given counts.
//
// Read by our own few lines: Boost.Program_options knows single dashes only as a disguise of double ones, and
// then can neither tell an unknown option from an argument nor an empty value from a missing one.
//
//   option_set options("server", {{"listen", "ADDR", "7000", "where clients connect"}, ...});
//   parsed_options given = options.parse(arguments);      // throws usage_error; the nearest name is
//   suggested given.text("listen")                                   // what was given, else the default
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::app {

struct option {
  std::string name;
  std::string argument; ///< what stands for the value in the help; empty for a switch
  std::string fallback; ///< the default as the user would write it
  std::string help;

  [[nodiscard]] bool is_switch() const noexcept { return argument.empty(); }
};

class parsed_options {
public:
  [[nodiscard]] bool given(const std::string& name) const { return given_.contains(name); }
  [[nodiscard]] const std::string& text(const std::string& name) const { return values_.at(name); }
  [[nodiscard]] bool on(const std::string& name) const;
  [[nodiscard]] bool help_wanted() const noexcept { return help_; }

private:
  friend class option_set;
  std::map<std::string, std::string> values_; ///< all options, defaults included
  std::map<std::string, bool> given_;
  bool help_ = false;
};

class option_set {
public:
  option_set(std::string command, std::vector<option> options)
      : command_(std::move(command)), options_(std::move(options)) {}

  [[nodiscard]] parsed_options parse(const std::vector<std::string>& arguments) const;
  /// The table of options for --help.
  [[nodiscard]] std::string describe() const;

private:
  [[nodiscard]] const option& find(const std::string& name) const;
  [[noreturn]] void refuse_argument(const std::string& word, const option* after) const;

  std::string command_;
  std::vector<option> options_;
};

/// The candidate that `word` is most likely a misspelling of, or nothing when none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& candidates);

} // namespace gotunnel::app
