#include "gotunnel/app/config.hpp"

#include "gotunnel/app/byte_size.hpp"
#include "gotunnel/app/go_duration.hpp"
#include "gotunnel/app/secret_source.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/crypto/pki.hpp"
#include "gotunnel/net/file.hpp"
#include "gotunnel/reverse/client_identity.hpp"
#include "gotunnel/wire/smux_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

namespace gotunnel::app {
namespace {

constexpr std::size_t workers_limit = 256;
constexpr std::size_t visitors_limit = 10'000'000;
constexpr std::size_t ca_file_limit = 64 * 1024;
// A few streams with their initial windows: below it even one visitor would be slowed down.
constexpr std::uint64_t least_memory_limit = 16 * 1024 * 1024;

usage_error wrong(const parsed_options& given, const std::string& name, std::string_view why) {
  return usage_error(fmt::format("-{} \"{}\": {}", name, given.text(name), why));
}

template <class T>
T accept(wire::parsed<T> parsed, const parsed_options& given, const std::string& name,
         std::string_view example) {
  if (auto* value = std::get_if<T>(&parsed)) return std::move(*value);
  throw wrong(given, name,
              fmt::format("{}; for example -{} {}", std::get<std::string>(parsed), name, example));
}

template <class Number>
Number read_number(const parsed_options& given, const std::string& name, Number least, Number most,
                   std::string_view what) {
  const std::string& text = given.text(name);
  long long value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() ||
      value < static_cast<long long>(least) || value > static_cast<long long>(most))
    throw wrong(given, name, fmt::format("{} is a number from {} to {}", what, least, most));
  return static_cast<Number>(value);
}

/// Where clients connect. Text without a colon was meant as a port.
wire::host_port read_listen(const parsed_options& given) {
  if (given.text("listen").find(':') == std::string::npos)
    return {"", read_number<std::uint16_t>(given, "listen", 0, 65535, "a port")};
  return accept(wire::parse_listen(given.text("listen")), given, "listen", "7000 or 127.0.0.1:7000");
}

/// An address without port; whether this machine has it is seen when the server starts.
std::string read_bind(const parsed_options& given) {
  std::string host = given.text("bind");
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (given.text("bind").empty()) return host;
  const bool v6 = std::count(host.begin(), host.end(), ':') > 1;
  const auto parsed = wire::parse_listen(fmt::format("{}{}{}:0", v6 ? "[" : "", host, v6 ? "]" : ""));
  if (host.empty() || !std::holds_alternative<wire::host_port>(parsed))
    throw wrong(
        given, "bind",
        "not an address or name of this machine; give one without a port, like 127.0.0.1 or ::1, and a "
        "name in ASCII (xn--...)");
  return host;
}

template <class T>
T accept_address(wire::parsed<T> parsed, const parsed_options& given, const std::string& name,
                 std::string_view example) {
  if (given.text(name).find("://") != std::string::npos)
    throw wrong(given, name,
                fmt::format("a URL; give host and port only, for example -{} {}", name, example));
  return accept(std::move(parsed), given, name, example);
}

wire::cidr_set read_networks(const parsed_options& given, const std::string& name) {
  if (!given.given(name)) return {};
  return accept(wire::cidr_set::parse(given.text(name)), given, name, "192.0.2.0/24,2001:db8::/32");
}

duration read_duration(const parsed_options& given, const std::string& name, duration least) {
  const auto value = parse_duration(given.text(name));
  if (!value) throw wrong(given, name, "not a duration; write it like 500ms, 10s or 1m30s");
  if (*value < least) {
    const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(least).count();
    throw wrong(given, name,
                count % 1000 == 0 ? fmt::format("too short; the least is {}s", count / 1000)
                                  : fmt::format("too short; the least is {}ms", count));
  }
  return *value;
}

/// What the whole process may keep for slow readers.
std::uint64_t read_memory_limit(const parsed_options& given) {
  const auto bytes = parse_size(given.text("memory-limit"));
  if (!bytes) throw wrong(given, "memory-limit", "not a size; write it like 512M or 2G, or 0 for no limit");
  if (*bytes != 0 && *bytes < least_memory_limit)
    throw wrong(given, "memory-limit", "too small; the least is 16M");
  return *bytes;
}

/// It crosses the wire as 32 bits of milliseconds, and an hour of bytes that wait is more than anybody wants.
duration read_resume_window(const parsed_options& given) {
  const duration window = read_duration(given, "resume-window", 0ms);
  if (window > 1h) throw wrong(given, "resume-window", "too long; the most is 1h");
  return window;
}

/// An interval that others wait for three times.
duration read_keepalive(const parsed_options& given) {
  const duration interval = read_duration(given, "keepalive", wire::default_keepalive);
  if (interval > wire::longest_keepalive) throw wrong(given, "keepalive", "too long; the most is 10m");
  return interval;
}

sandbox_mode read_sandbox(const parsed_options& given) {
  const auto mode = parse_sandbox_mode(given.text("sandbox"));
  if (!mode) throw wrong(given, "sandbox", "choose on, off or auto");
  return *mode;
}

bool read_on_off(const parsed_options& given, const std::string& name) {
  const std::string& text = given.text(name);
  if (text == "on" || text == "true") return true;
  if (text == "off" || text == "false") return false;
  throw wrong(given, name, "choose on or off");
}

link::seed_fallback::wish read_fallback(const parsed_options& given) {
  using wish = link::seed_fallback::wish;
  const std::string& text = given.text("seed-peers");
  if (text == "auto") return wish::automatic;
  if (text == "on" || text == "true") return wish::on;
  if (text == "off" || text == "false") return wish::off;
  throw wrong(given, "seed-peers", "choose on, off or auto");
}

log_config read_logging(const parsed_options& given) {
  log_config config;
  const auto level = log::parse_level(given.text("log-level"));
  if (!level) throw wrong(given, "log-level", "not a level; choose trace, debug, info, warn or error");
  config.level = *level;
  const std::string& format = given.text("log-format");
  if (format != "text" && format != "json") throw wrong(given, "log-format", "choose text or json");
  config.format = format == "json" ? log::format::json : log::format::text;
  return config;
}

/// The CA must be right before the first attempt: a typing error should not look like a network problem. A
/// pipe will do.
std::string read_ca(const parsed_options& given) {
  const auto pem = net::read_stream(given.text("ca"), ca_file_limit, stream_patience);
  if (!pem && pem.error() == errc::timed_out)
    throw wrong(given, "ca",
                fmt::format("nobody wrote a certificate into it, to its end, within {} s; see what was to",
                            stream_patience.count()));
  if (!pem)
    throw wrong(
        given, "ca",
        fmt::format(
            "cannot read: {}; copy ca.crt from the server, or use the pin that the server prints with -pin",
            pem.error().message()));
  const auto facts = crypto::read_certificate(*pem);
  if (!facts) throw wrong(given, "ca", "not a PEM certificate; copy ca.crt from the server again");
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (facts->not_after < now)
    throw wrong(given, "ca",
                fmt::format("the certificate ended on {}; copy the new ca.crt from the server",
                            describe(facts->not_after)));
  if (!facts->authority)
    throw wrong(given, "ca", "the certificate of a server, not of a CA; copy ca.crt from the server");
  return *pem;
}

const option seed_peers_option{"seed-peers", "on|off", "on", "also speak the original GoTunnel protocol"};
const option memory_limit_option{
    "memory-limit", "SIZE", "0",
    "what may wait for slow readers in all, like 512M or 2G; 0: 64M for each session, and no sum"};
const option sandbox_option{"sandbox", "on|off|auto", "auto",
                            "give up what a tunnel does not need: files (Landlock), system calls (seccomp)"};
const option secret_option{"secret", "TEXT", "",
                           "shared secret; better by file or environment: arguments are visible"};
const option secret_file_option{
    "secret-file", "FILE", "",
    "read the shared secret from a file; up to 4 lines, of which a client uses the first"};
const option resume_window_option{
    "resume-window", "DURATION", "60s",
    "how long connections outlive a broken carrier, until another takes over; 0 ends them with it"};
const option keepalive_option{"keepalive", "DURATION", "4s",
                              "how often each side says that it is there when nothing moves, up to 10m; the "
                              "larger of both sides counts"};
const option server_certs_option{"certs", "DIR", "certs", "directory of the server's certificates"};
const option json_option{"json", "", "", "one JSON object instead of a text for people"};
const option grace_option{"grace", "DURATION", "8s", "how long running connections may finish when stopping"};
const option log_level_option{"log-level", "LEVEL", "info", "trace, debug, info, warn or error"};
const option log_format_option{"log-format", "FORMAT", "text", "text, or json (one object a line)"};

} // namespace

const option_set& server_options() {
  static const option_set options(
      "server",
      {secret_option,
       secret_file_option,
       {"listen", "ADDR", "7000", "where clients connect: PORT, :PORT, HOST:PORT or [V6]:PORT"},
       {"bind", "HOST", "", "address of the public ports, or a name with several; all addresses when empty"},
       {"allow-ports", "LIST", "1024-65535", "public ports that clients may ask for, like 1024-65535,80,443"},
       {"allow-clients", "CIDRS", "",
        "networks that clients may come from, like 192.0.2.0/24,2001:db8::/32; everybody when empty"},
       {"allow-visitors", "CIDRS", "", "networks that visitors of public ports may come from"},
       {"max-visitors", "N", "0",
        "visitors at once; one client's may be four fifths of them, and less the more there are of others; "
        "0: "
        "as many as the limit of open files allows"},
       {"max-visitors-per-address", "N", "0",
        "visitors at once of one address at one port; 0: twice as many as there is room for others"},
       {"certs", "DIR", "certs", "directory of the certificates; made on first start"},
       {"cert-check", "DURATION", "1m",
        "how often the certificates are looked at: renewed when due, read again when changed"},
       {"user", "NAME", "", "become this user when the tunnel port is open; only when started as root"},
       {"workers", "N", "0", "threads; 0 means one per core"},
       resume_window_option,
       keepalive_option,
       {"resume-hold", "DURATION", "2s",
        "how long new visitors wait for a client whose carrier broke, before they are refused"},
       grace_option,
       seed_peers_option,
       memory_limit_option,
       sandbox_option,
       log_level_option,
       log_format_option});
  return options;
}

const option_set& status_options() {
  static const option_set options("server status", {server_certs_option, json_option});
  return options;
}

const option_set& upgrade_options() {
  static const option_set options("server upgrade", {server_certs_option, json_option});
  return options;
}

const option_set& reload_options() {
  static const option_set options("server reload", {server_certs_option, json_option});
  return options;
}

const option_set& client_options() {
  static const option_set options(
      "client",
      {{"server", "HOST:PORT", "", "the gotunnel server (required)"},
       secret_option,
       secret_file_option,
       {"ca", "FILE", "ca.crt", "the server's CA certificate"},
       {"pin", "sha256:HEX", "", "the CA's pin as the server prints it; instead of -ca"},
       {"remote-port", "PORT", "8080", "public port on the server; 0 lets the server choose"},
       {"local-target", "ADDR", "127.0.0.1:80", "local service: HOST:PORT, [V6]:PORT or unix:/PATH"},
       {"carriers", "N", "1",
        "connections that share the visitors, 1 to 16; several are faster where packets get lost"},
       {"max-retry-interval", "DURATION", "60s", "longest pause between attempts"},
       {"no-retry", "", "",
        "end with exit code 1 instead of trying again; -resume-window is 0 then unless given"},
       resume_window_option,
       keepalive_option,
       {"state-dir", "DIR", "",
        "where the client keeps its id, and which servers are native (default $XDG_STATE_HOME/gotunnel or "
        "~/.local/state/gotunnel)"},
       grace_option,
       {"seed-peers", "on|off|auto", "auto",
        "also speak the original protocol, which sends the secret; auto: not once the server has been "
        "native"},
       memory_limit_option,
       sandbox_option,
       log_level_option,
       log_format_option});
  return options;
}

const option_set& pki_options() {
  static const option_set options(
      "pki", {{"certs", "DIR", "certs", "directory of the certificates"},
              {"ca", "", "", "with renew: the CA's certificate, too, with the key that it has"}});
  return options;
}

server_config read_server_config(const parsed_options& given) {
  server_config config;
  config.listen = read_listen(given);
  config.bind_host = read_bind(given);
  config.allow_ports =
      accept(wire::port_set::parse(given.text("allow-ports")), given, "allow-ports", "1024-65535,80,443");
  config.allow_clients = read_networks(given, "allow-clients");
  config.allow_visitors = read_networks(given, "allow-visitors");
  config.max_visitors =
      read_number<std::size_t>(given, "max-visitors", 0, visitors_limit, "the count of visitors");
  config.max_visitors_per_address =
      read_number<std::size_t>(given, "max-visitors-per-address", 0, visitors_limit, "the count of visitors");
  config.certs = given.text("certs");
  if (config.certs.empty()) throw wrong(given, "certs", "no directory; for example -certs certs");
  config.user = given.text("user");
  if (given.given("user") && config.user.empty())
    throw wrong(given, "user", "no name; for example -user gotunnel");
  config.cert_check = read_duration(given, "cert-check", 10ms);
  config.workers = read_number<std::size_t>(given, "workers", 0, workers_limit, "the count of threads");
  if (config.workers == 0)
    config.workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, workers_limit);
  config.resume_window = read_resume_window(given);
  config.keepalive = read_keepalive(given);
  config.resume_hold = read_duration(given, "resume-hold", 0ms);
  config.grace = read_duration(given, "grace", 0ms);
  config.seed_peers = read_on_off(given, "seed-peers");
  config.memory_limit = read_memory_limit(given);
  config.sandbox = read_sandbox(given);
  config.logging = read_logging(given);
  return config;
}

client_config read_client_config(const parsed_options& given) {
  client_config config;
  if (!given.given("server"))
    throw usage_error(
        "no server; give its address with -server HOST:PORT, for example -server 203.0.113.5:7000");
  config.server = accept_address(wire::parse_peer(given.text("server")), given, "server", "203.0.113.5:7000");
  config.remote_port = read_number<std::uint16_t>(given, "remote-port", 0, 65535, "a port");
  config.target =
      accept_address(wire::parse_target(given.text("local-target")), given, "local-target", "127.0.0.1:80");
  config.carriers =
      read_number<std::uint8_t>(given, "carriers", 1, wire::carriers_limit, "the count of carriers");
  config.max_retry_interval = read_duration(given, "max-retry-interval", 10ms);
  config.retry = !given.on("no-retry");
  config.resume_window = read_resume_window(given);
  config.keepalive = read_keepalive(given);
  if (!config.retry && !given.given("resume-window")) config.resume_window = 0s;
  config.grace = read_duration(given, "grace", 0ms);
  config.seed_peers = read_fallback(given);
  config.memory_limit = read_memory_limit(given);
  config.sandbox = read_sandbox(given);
  config.logging = read_logging(given);
  config.state_dir = given.text("state-dir");
  if (config.state_dir.empty()) config.state_dir = reverse::default_state_directory();

  if (given.given("ca") && given.given("pin"))
    throw usage_error("-ca and -pin are both given; keep one of them");
  if (given.given("pin")) {
    config.pin = given.text("pin");
    if (!crypto::normalize_pin(config.pin))
      throw wrong(given, "pin",
                  "not a pin; copy it from the server's banner or from `gotunnel pki show`: sha256: and 64 "
                  "hexadecimal digits");
  } else {
    config.ca_file = given.text("ca");
    config.ca_pem = read_ca(given);
  }
  return config;
}

} // namespace gotunnel::app
