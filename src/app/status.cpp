#include "gotunnel/app/status.hpp"

#include "gotunnel/app/byte_size.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/base/printable.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

#include <fmt/format.h>

#include <chrono>

#include <unistd.h>

namespace gotunnel::app {
namespace {

namespace json = boost::json;

std::string describe_span(std::uint64_t seconds) {
  const std::uint64_t days = seconds / 86'400;
  return fmt::format("{}{:02}:{:02}:{:02}", days > 0 ? fmt::format("{} d ", days) : "", seconds / 3600 % 24,
                     seconds / 60 % 60, seconds % 60);
}

std::string describe_counter(std::string_view name, std::uint64_t value) {
  return name.starts_with("bytes_") ? describe_size(value) : fmt::format("{}", value);
}

/// Who asked, and why something was refused, was said by peers.
std::string words(const json::value& value) { return printable(value.as_string()); }

std::uint64_t number(const json::value& value) { return value.to_number<std::uint64_t>(); }

/// Servers of an older version say nothing of it.
std::string describe_certificates(const json::object& status, std::string_view bold, std::string_view plain) {
  const json::value* const said = status.if_contains("certificates");
  if (said == nullptr) return {};
  const json::object& certificates = said->as_object();
  std::string text = fmt::format("\n{}certificates{}  the server's until {}, the CA until {}\n", bold, plain,
                                 std::string_view(certificates.at("server_until").as_string()),
                                 std::string_view(certificates.at("ca_until").as_string()));
  for (const json::value& each : certificates.at("trouble").as_array())
    text += fmt::format("  {}\n", std::string_view(each.as_string()));
  return text;
}

std::string describe_object(const json::object& status, bool colour) {
  const std::string_view bold = colour ? "\x1b[1m" : "";
  const std::string_view plain = colour ? "\x1b[0m" : "";
  std::string text =
      fmt::format("{}gotunnel server {}{}, process {}, on {} for {}, {} workers\n", bold,
                  words(status.at("version")), plain, number(status.at("pid")), words(status.at("listen")),
                  describe_span(number(status.at("uptime_seconds"))), number(status.at("workers")));
  const json::object& memory = status.at("memory").as_object();
  const std::uint64_t limit = number(memory.at("limit"));
  text += fmt::format("\n{}for slow readers{}  {} of {}\n", bold, plain,
                      describe_size(number(memory.at("waiting"))),
                      limit == 0 ? "64.0 MiB for each session" : describe_size(limit));
  text += describe_certificates(status, bold, plain);
  text += fmt::format("\n{}counters{}\n", bold, plain);
  for (const auto& each : status.at("counters").as_object())
    text += fmt::format("  {:<22}{:>12}\n", printable(each.key()),
                        describe_counter(each.key(), number(each.value())));
  const json::array& ports = status.at("ports").as_array();
  text += fmt::format("\n{}ports{}{}\n", bold, plain, ports.empty() ? "  none is open" : "");
  for (const json::value& each : ports) {
    const json::object& port = each.as_object();
    text += fmt::format("  {:<6} {} since {}\n", number(port.at("port")), words(port.at("client")),
                        words(port.at("since")));
  }
  return text;
}

} // namespace

std::string status_json(const status_facts& facts) {
  json::object counted;
  for (const counter each : counters::all()) counted[name_of(each)] = counters::value(each);
  json::array ports;
  for (const auto& each : facts.ports)
    ports.push_back(json::object{
        {"port", each.port}, {"client", printable(each.client_address)}, {"since", describe(each.since)}});
  const memory_budget& memory = memory_budget::of_process();
  const json::object status{
      {"version", GOTUNNEL_VERSION},
      {"pid", ::getpid()},
      {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(facts.uptime).count()},
      {"listen", facts.listen},
      {"workers", facts.workers},
      {"memory", json::object{{"waiting", memory.waiting()}, {"limit", memory.limit()}}},
      {"certificates", json::object{{"ca_until", describe(facts.authority_until)},
                                    {"server_until", describe(facts.server_until)},
                                    {"trouble", json::value_from(facts.expiry)}}},
      {"counters", std::move(counted)},
      {"ports", std::move(ports)}};
  return json::serialize(status);
}

std::string describe_status(std::string_view text, bool colour) {
  try {
    return describe_object(json::parse(text).as_object(), colour);
  } catch (const std::exception&) {
    throw usage_error("the server's answer is of another version; see what it says with -json");
  }
}

} // namespace gotunnel::app
