#include "gotunnel/app/option_set.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace gotunnel::app {
namespace {

namespace po = boost::program_options;

constexpr int go_style = po::command_line_style::allow_long | po::command_line_style::allow_long_disguise |
                         po::command_line_style::long_allow_adjacent | po::command_line_style::long_allow_next;

/// Levenshtein distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
    }
  }
  return row.back();
}

std::string without_dashes(std::string name) {
  name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
  return name.substr(0, name.find('='));
}

bool is_false(std::string_view text) { return text == "false" || text == "off" || text == "0" || text == "no"; }
bool is_true(std::string_view text) { return text == "true" || text == "on" || text == "1" || text == "yes"; }

} // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t d = distance(word, candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

bool parsed_options::on(const std::string& name) const { return is_true(values_.at(name)); }

parsed_options option_set::parse(const std::vector<std::string>& arguments) const {
  po::options_description known;
  std::vector<std::string> names;
  known.add_options()("help", "")("h", "");
  for (const option& each : options_) {
    auto* const value = po::value<std::string>();
    if (each.argument.empty()) value->implicit_value("true");
    known.add_options()(each.name.c_str(), value, "");
    names.push_back(each.name);
  }

  parsed_options result;
  for (const option& each : options_) result.values_[each.name] = each.argument.empty() && each.fallback.empty() ? "false" : each.fallback;
  try {
    const auto parsed = po::command_line_parser(arguments).options(known).style(go_style).run();
    for (const auto& each : parsed.options) {
      if (each.string_key.empty() || each.position_key >= 0)
        throw usage_error(fmt::format("unexpected argument \"{}\": `gotunnel {}` takes options only; see `gotunnel {} --help`",
                                      each.value.empty() ? "" : each.value.front(), command_, command_));
      if (each.string_key == "help" || each.string_key == "h") {
        result.help_ = true;
        continue;
      }
      const std::string value = each.value.empty() ? "true" : each.value.front();
      const auto which = std::find_if(options_.begin(), options_.end(), [&](const option& o) { return o.name == each.string_key; });
      if (which->argument.empty() && !is_true(value) && !is_false(value))
        throw usage_error(fmt::format("-{} \"{}\": this is a switch; give -{} or -{}=false", which->name, value, which->name, which->name));
      result.values_[which->name] = value;
      result.given_[which->name] = true;
    }
  } catch (const po::unknown_option& e) {
    const std::string name = without_dashes(e.get_option_name());
    const auto near = nearest(name, names);
    throw usage_error(fmt::format("unknown option -{}{}; see `gotunnel {} --help`", name,
                                  near ? fmt::format(": did you mean -{}?", *near) : "", command_));
  } catch (const po::invalid_syntax& e) {
    // Also `-x=` with nothing behind it, which the library calls a syntax error.
    const std::string name = without_dashes(e.get_option_name().empty() ? e.tokens() : e.get_option_name());
    throw usage_error(fmt::format("-{} needs a value; see `gotunnel {} --help`", name, command_));
  }
  return result;
}

std::string option_set::describe() const {
  std::size_t width = 0;
  const auto left = [](const option& each) {
    return each.argument.empty() ? "-" + each.name : fmt::format("-{} {}", each.name, each.argument);
  };
  for (const option& each : options_) width = std::max(width, left(each).size());
  std::string text;
  for (const option& each : options_)
    text += fmt::format("  {:<{}}  {}{}\n", left(each), width, each.help,
                        each.fallback.empty() ? "" : fmt::format(" (default {})", each.fallback));
  return text;
}

} // namespace gotunnel::app
