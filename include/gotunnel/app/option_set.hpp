// The options of one sub-command, in the spelling of Go's flag package: `-x v`, `-x=v`, `--x v`, `--x=v`; a
// switch is `-x` or `-x=false` and never takes the next word; a value may begin with a dash; the last one
// given counts.
//
// Boost.Program_options keeps the declarations, the defaults and the values. The spelling is ours, as its
// extra style parser: its own styles take an unknown `-lisen` for an argument, call `-secret=` a missing
// value, and let a switch swallow the next word.
//
//   option_set options("server", {{"listen", "ADDR", "7000", "where clients connect"}, ...});
//   parsed_options given = options.parse(arguments);   // throws usage_error; the nearest name is suggested
//   given.text("listen")                               // what was given, else the default
#pragma once

#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

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
  [[nodiscard]] bool given(const std::string& name) const { return !values_[name].defaulted(); }
  [[nodiscard]] const std::string& text(const std::string& name) const {
    return values_[name].as<std::string>();
  }
  [[nodiscard]] bool on(const std::string& name) const;
  [[nodiscard]] bool help_wanted() const { return on("help"); }

private:
  friend class option_set;
  boost::program_options::variables_map values_; ///< all options, defaults included
};

class option_set {
public:
  option_set(std::string command, std::vector<option> options)
      : command_(std::move(command)), options_(std::move(options)) {}

  [[nodiscard]] parsed_options parse(const std::vector<std::string>& arguments) const;
  /// The table of options for --help.
  [[nodiscard]] std::string describe() const;

private:
  [[nodiscard]] boost::program_options::options_description declared() const;
  [[nodiscard]] boost::program_options::option take(std::vector<std::string>& words,
                                                    const option*& last) const;
  [[nodiscard]] const option& find(const std::string& name, const option* after) const;
  [[noreturn]] void refuse_argument(const std::string& word, const option* after) const;

  std::string command_;
  std::vector<option> options_;
};

/// The candidate that `word` is most likely a misspelling of, or nothing when none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& candidates);

} // namespace gotunnel::app
