#include "gotunnel/app/upgrade.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/base/printable.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <unistd.h>

namespace gotunnel::app {
namespace {

namespace json = boost::json;

// From `go` to the control socket of the new process.
constexpr duration serving_limit = 5s;

upgrade_outcome failed(std::string why) { return {std::move(why), {}}; }

std::string trouble_of(const error_code& why) {
  if (why == errc::end_of_stream)
    return "the new process ended before it had taken over; the log has its last words";
  if (why == errc::broken_frame)
    return "the new process takes over in a way that this version does not know; restart the server";
  if (why == errc::shutting_down) return "this server is stopping, or another process serves already";
  if (why == errc::timed_out) return "the new process did not take over in time";
  return fmt::format("the new process could not take over: {}", why.message());
}

} // namespace

asio::awaitable<upgrade_outcome> upgrade::perform() {
  if (under_way_) co_return failed("an upgrade is under way already; wait for its end");
  struct only_one {
    bool& under_way;
    ~only_one() { under_way = false; }
  } const guard{under_way_};
  under_way_ = true;
  log::info("app", "upgrade: starting the new process");
  auto outcome = co_await attempt();
  if (outcome.trouble.empty())
    log::info("app", "upgrade: process {} serves now, with {} clients, {} ports and {} visitors",
              outcome.receipt.successor, outcome.receipt.given.sessions, outcome.receipt.given.ports,
              outcome.receipt.given.visitors);
  else
    log::error("app", "upgrade: {}; this process serves on", outcome.trouble);
  co_return outcome;
}

asio::awaitable<upgrade_outcome> upgrade::attempt() {
  if (::getpid() == 1)
    co_return failed("this is process 1 of a container, which ends with it; restart the container instead");
  auto ends = net::parcel_socket::pair();
  if (!ends) co_return failed(fmt::format("no socket for the new process: {}", ends.error().message()));
  net::descriptor secrets;
  if (keys_.file().empty()) {
    secrets = keys_.hand_over();
    if (!secrets) co_return failed("no file in memory for the secret");
  }
  net::descriptor theirs = ends->second.release();
  const auto asked = next_.start(std::move(theirs), std::move(secrets));
  if (!asked)
    co_return failed(
        fmt::format("what starts the new process is gone: {}; restart the server", asked.error().message()));
  net::parcel_socket next = std::move(ends->first);
  const bool ready = co_await next.readable(start_limit);
  if (!ready) co_return failed("the new process was not ready in time");
  const auto receipt = co_await server_.hand_over(next);
  if (!receipt) co_return failed(trouble_of(receipt.error()));
  manager_.main_process(static_cast<pid_t>(receipt->successor));
  // Its end of the conversation: it serves, and is there for whoever asks next. Late, it serves all the same.
  [[maybe_unused]] const bool serves = co_await next.readable(serving_limit);
  upgrade_outcome done;
  done.receipt = *receipt;
  co_return done;
}

std::string upgrade_json(const upgrade_outcome& outcome) {
  if (!outcome.trouble.empty()) return json::serialize(json::object{{"error", printable(outcome.trouble)}});
  return json::serialize(json::object{{"upgraded", true},
                                      {"pid", outcome.receipt.successor},
                                      {"clients", outcome.receipt.given.sessions},
                                      {"ports", outcome.receipt.given.ports},
                                      {"visitors", outcome.receipt.given.visitors}});
}

upgrade_report describe_upgrade(std::string_view text) {
  try {
    const json::object said = json::parse(text).as_object();
    if (const json::value* const why = said.if_contains("error"))
      return {false, fmt::format("the server was not upgraded: {}", std::string_view(why->as_string()))};
    const auto number = [&said](const char* name) { return said.at(name).to_number<std::uint64_t>(); };
    const std::string sentence =
        fmt::format("upgraded: process {} serves now, with {} clients, {} ports and {} visitors",
                    number("pid"), number("clients"), number("ports"), number("visitors"));
    if (said.at("upgraded").as_bool()) return {true, sentence};
  } catch (const std::exception&) {
    // Below.
  }
  return {false, "the server's answer is of another version; see what it says with -json"};
}

} // namespace gotunnel::app
