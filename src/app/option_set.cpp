#include "gotunnel/app/option_set.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/value_semantic.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace gotunnel::app {

namespace po = boost::program_options;

namespace {

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

/// `-name`, `--name`, and the value where one follows an equals sign.
struct spelled_option {
  std::string name;
  std::optional<std::string> value;
};

/// Nothing when the word is no option: no dash, nothing behind it, or more than two.
std::optional<spelled_option> read_word(std::string_view word) {
  const std::size_t dashes = word.starts_with("--") ? 2 : word.starts_with('-') ? 1 : 0;
  if (dashes == 0) return std::nullopt;
  word.remove_prefix(dashes);
  if (word.empty() || word.front() == '-' || word.front() == '=') return std::nullopt;
  const std::size_t equals = word.find('=');
  spelled_option read{std::string(word.substr(0, equals)), std::nullopt};
  if (equals != std::string_view::npos) read.value = word.substr(equals + 1);
  return read;
}

const option help_option{"help", "", "", ""};

void keep_last_of_each(std::vector<po::option>& options) {
  for (auto each = options.begin(); each != options.end();) {
    const auto again = [&](const po::option& later) { return later.string_key == each->string_key; };
    each = std::any_of(each + 1, options.end(), again) ? options.erase(each) : each + 1;
  }
}

/// A secret with a space and without quotes arrives as two words: the second one is not for the screen.
void refuse_piece_of_secret(const option* after) {
  if (after != nullptr && after->name == "secret")
    throw usage_error(
        "unexpected argument after -secret; put a secret that holds spaces in quotes, or use -secret-file");
}

bool is_false(std::string_view text) {
  return text == "false" || text == "off" || text == "0" || text == "no";
}
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

bool parsed_options::on(const std::string& name) const { return is_true(text(name)); }

parsed_options option_set::parse(const std::vector<std::string>& arguments) const {
  const option* last = nullptr;
  const auto style = [this, &last](std::vector<std::string>& words) {
    return std::vector{take(words, last)};
  };
  const auto description = declared();
  auto read = po::command_line_parser(arguments).options(description).extra_style_parser(style).run();
  keep_last_of_each(read.options);
  parsed_options result;
  po::store(read, result.values_);
  return result;
}

po::options_description option_set::declared() const {
  po::options_description description;
  const auto declare = [&](const option& each) {
    const std::string fallback = each.is_switch() && each.fallback.empty() ? "false" : each.fallback;
    description.add_options()(each.name.c_str(), po::value<std::string>()->default_value(fallback));
  };
  std::for_each(options_.begin(), options_.end(), declare);
  declare(help_option);
  return description;
}

/// Takes the next option, and the word of its value, from the front of `words`.
po::option option_set::take(std::vector<std::string>& words, const option*& last) const {
  const auto spelled = read_word(words.front());
  if (!spelled) refuse_argument(words.front(), last);
  words.erase(words.begin());
  const option& found = find(spelled->name, last);
  std::string value = spelled->value.value_or("true");
  if (!spelled->value && !found.is_switch()) {
    if (words.empty())
      throw usage_error(fmt::format("-{} needs a value, -{} {}; see `gotunnel {} --help`", found.name,
                                    found.name, found.argument, command_));
    value = std::move(words.front());
    words.erase(words.begin());
  }
  if (found.is_switch() && !is_true(value) && !is_false(value))
    throw usage_error(fmt::format("-{} \"{}\": this is a switch; give -{} or -{}=false", found.name, value,
                                  found.name, found.name));
  last = &found;
  return {found.name, {std::move(value)}};
}

const option& option_set::find(const std::string& name, const option* after) const {
  if (name == "help" || name == "h") return help_option;
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const option& each) { return each.name == name; });
  if (found != options_.end()) return *found;
  std::vector<std::string> names;
  for (const option& each : options_) names.push_back(each.name);
  const auto near = nearest(name, names);
  if (!near) refuse_piece_of_secret(after);
  throw usage_error(fmt::format("unknown option -{}{}", name,
                                near ? fmt::format("; did you mean -{}?", *near)
                                     : fmt::format("; see `gotunnel {} --help`", command_)));
}

void option_set::refuse_argument(const std::string& word, const option* after) const {
  refuse_piece_of_secret(after);
  throw usage_error(
      fmt::format("unexpected argument \"{}\"; `gotunnel {}` takes options only: see `gotunnel {} --help`",
                  word, command_, command_));
}

std::string option_set::describe() const {
  std::size_t width = 0;
  const auto left = [](const option& each) {
    return each.is_switch() ? "-" + each.name : fmt::format("-{} {}", each.name, each.argument);
  };
  for (const option& each : options_) width = std::max(width, left(each).size());
  std::string text;
  for (const option& each : options_)
    text += fmt::format("  {:<{}}  {}{}\n", left(each), width, each.help,
                        each.fallback.empty() ? "" : fmt::format(" (default {})", each.fallback));
  return text;
}

} // namespace gotunnel::app
