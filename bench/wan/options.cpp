#include "options.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <sstream>

namespace gotunnel::wan {

namespace po = boost::program_options;

namespace {

constexpr const char* usage =
    R"(Runs two commands at the two ends of a long line, in networks of their own.

  wan [OPTION...] --left COMMAND --right COMMAND
  wan tell PATH WORD...                     changes a running line: see --control

The right command decides: when it ends, the left one is ended (SIGTERM; SIGKILL
after 5 s), and its exit code is that of wan. The commands are run by /bin/sh and
find their addresses in WAN_LOCAL and WAN_PEER. Left is 10.77.0.1, right 10.77.0.2.

  wan --delay 50ms --rate 100mbit --loss 0.1% --left 'iperf3 -s' --right 'iperf3 -c $WAN_PEER'

)";

constexpr const char* after_options =
    R"(
Lines for the control socket: pass, drop (lose what comes), cut (lose also what is
under way), freeze (hold what comes), delay 200ms, rate 1mbit and so on, stats; each
for both directions, or with a last word to-left or to-right.

Exit codes: that of the right command; 1 after an error, 2 after wrong options, 77
without the right to make networks (root, or user namespaces and /dev/net/tun).
)";

constexpr std::array settings{"delay", "rate", "loss", "reorder", "reorder-by", "queue"};

po::options_description described() {
  po::options_description all("Options, of which those of the line count for each direction");
  const auto text = [](const char* argument, const char* fallback = nullptr) {
    auto* const value = po::value<std::string>()->value_name(argument);
    return fallback == nullptr ? value : value->default_value(fallback);
  };
  const auto add = [&](const char* name, po::value_semantic* value, const char* help) {
    all.add_options()(name, value, help);
  };
  add("left", text("COMMAND"), "runs until the right one has ended; reads /dev/null");
  add("right", text("COMMAND"), "runs with the standard input of wan");
  add("delay", text("DURATION", "0ms"), "of every packet, one way");
  add("rate", text("RATE", "unlimited"), "like 100mbit; counts whole IP packets");
  add("loss", text("SHARE", "0%"), "of packets that are lost, like 0.1%");
  add("reorder", text("SHARE", "0%"), "of packets that come late");
  add("reorder-by", text("DURATION", "auto"), "how late; auto: a quarter of the delay, 1ms at least");
  add("queue", text("PACKETS", "auto"),
      "that may wait for the line; auto: a round trip's worth, 500 at least");
  add("seed", text("NUMBER", "1"), "of the luck of the packets");
  add("mtu", text("BYTES", "1500"), "of the interfaces");
  add("control", text("PATH"), "Unix datagram socket for `wan tell`; the commands find it in WAN_CONTROL");
  all.add_options()("help", "this text");
  return all;
}

template <class Number>
Number read_number(const po::variables_map& given, const char* name, Number least, Number most) {
  const auto& text = given[name].as<std::string>();
  Number number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || number < least || number > most)
    throw usage_error(fmt::format("--{} \"{}\": a number from {} to {}", name, text, least, most));
  return number;
}

std::string read_command(const po::variables_map& given, const char* name) {
  if (given.count(name) == 0) throw usage_error(fmt::format("--{} COMMAND is missing; see wan --help", name));
  return given[name].as<std::string>();
}

po::variables_map read(const std::vector<std::string>& arguments) {
  const auto known = described();
  // Not the shortened names: a script must not change its meaning when an option joins.
  const int style = po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent |
                    po::command_line_style::long_allow_next;
  try {
    const auto words = po::command_line_parser(arguments).options(known).style(style).run();
    for (const auto& each : words.options)
      if (each.string_key.empty())
        throw usage_error(fmt::format("unexpected argument \"{}\"; see wan --help", each.value.front()));
    po::variables_map given;
    po::store(words, given);
    return given;
  } catch (const po::error& e) {
    throw usage_error(fmt::format("{}; see wan --help", e.what()));
  }
}

} // namespace

options parse(const std::vector<std::string>& arguments) {
  const po::variables_map given = read(arguments);
  options result;
  if (given.count("help") != 0) {
    result.help = true;
    return result;
  }
  for (const char* const name : settings) {
    try {
      change(result.link, name, given[name].as<std::string>());
    } catch (const usage_error& e) {
      throw usage_error(fmt::format("--{}", e.what()));
    }
  }
  result.seed = read_number<std::uint64_t>(given, "seed", 0, UINT64_MAX);
  // RFC 791: every host takes 576 bytes; TUN takes no more than this.
  result.mtu = read_number<int>(given, "mtu", 576, 65535);
  // The commands may change their directory.
  if (given.count("control") != 0)
    result.control = std::filesystem::absolute(given["control"].as<std::string>()).string();
  result.left = read_command(given, "left");
  result.right = read_command(given, "right");
  return result;
}

std::string help() {
  std::ostringstream text;
  text << usage << described() << after_options;
  return text.str();
}

} // namespace gotunnel::wan
