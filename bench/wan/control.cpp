#include "control.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace gotunnel::wan {
namespace {

constexpr std::size_t longest_datagram = 4096;

const char* name_of(direction towards) { return towards == direction::to_left ? "to-left" : "to-right"; }

std::vector<std::string> words_of(std::string_view line) {
  std::istringstream text{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

std::optional<gate> gate_of(std::string_view word) {
  if (word == "pass") return gate::pass;
  if (word == "drop") return gate::drop;
  if (word == "cut") return gate::cut;
  if (word == "freeze") return gate::freeze;
  return std::nullopt;
}

void change_by_words(link_settings& settings, const std::vector<std::string>& words) {
  if (const auto mode = gate_of(words[0]); mode && words.size() == 1)
    settings.mode = *mode;
  else if (!mode && words.size() == 2)
    change(settings, words[0], words[1]);
  else
    throw usage_error(
        fmt::format("\"{}\": expected pass, drop, cut, freeze, stats, or a setting and its value",
                    fmt::join(words, " ")));
}

/// The directions that the line means; their word is taken from it.
std::vector<direction> take_directions(std::vector<std::string>& words) {
  for (const direction each : directions)
    if (!words.empty() && words.back() == name_of(each)) {
      words.pop_back();
      return {each};
    }
  return {directions.begin(), directions.end()};
}

std::string obey_words(forwarder& link, std::vector<std::string> words, time_point now) {
  const auto chosen = take_directions(words);
  if (words.empty()) throw usage_error("an empty line");
  if (words.size() == 1 && words[0] == "stats") {
    std::string answer;
    for (const direction each : chosen)
      answer += fmt::format("{} {}\n", name_of(each), describe(link.line(each).counters()));
    return answer;
  }
  for (const direction each : chosen) {
    link_settings settings = link.line(each).settings();
    change_by_words(settings, words);
    link.line(each).configure(settings, now);
  }
  return "ok\n";
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw usage_error(
        fmt::format("control \"{}\": a path of 1 to {} bytes", path, sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

descriptor datagram_socket() { return {::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "control socket"}; }

bool bind_to(const descriptor& socket, const sockaddr_un& address) {
  return ::bind(socket.get(), generic(address), sizeof address) == 0;
}

/// A socket on which nobody receives any more. Connecting to a plain file is refused in the same way, and
/// that one is not ours to remove.
bool is_stale(const std::string& path, const sockaddr_un& address) {
  std::error_code ignored;
  if (!std::filesystem::is_socket(path, ignored)) return false;
  const descriptor probe = datagram_socket();
  return ::connect(probe.get(), generic(address), sizeof address) != 0 && errno == ECONNREFUSED;
}

} // namespace

std::string obey(forwarder& link, std::string_view line, time_point now) {
  try {
    return obey_words(link, words_of(line), now);
  } catch (const usage_error& e) {
    return fmt::format("error: {}\n", e.what());
  }
}

control_socket::control_socket(std::string path) : socket_(datagram_socket()) {
  const sockaddr_un address = address_of(path);
  if (!bind_to(socket_, address)) {
    const int error = errno;
    if (error != EADDRINUSE || !is_stale(path, address))
      throw usage_error(fmt::format("control \"{}\": {}", path, std::strerror(error)));
    ::unlink(path.c_str());
    if (!bind_to(socket_, address)) fail(path);
  }
  path_ = std::move(path);
}

control_socket::~control_socket() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void control_socket::serve(forwarder& link) const {
  std::string text(longest_datagram, '\0');
  sockaddr_un sender{};
  socklen_t length = sizeof sender;
  const ssize_t size = ::recvfrom(socket_.get(), text.data(), text.size(), MSG_DONTWAIT,
                                  reinterpret_cast<sockaddr*>(&sender), &length);
  if (size < 0) return;
  text.resize(static_cast<std::size_t>(size));
  std::string answer;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    answer += obey(link, line, std::chrono::steady_clock::now());
  if (answer.empty()) answer = obey(link, {}, {});
  // A sender that does not listen, or no longer, is not worth a wait.
  if (length > sizeof sender.sun_family)
    ::sendto(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL, generic(sender),
             length);
}

int tell(const std::vector<std::string>& words) {
  if (words.size() < 2) throw usage_error("tell needs a path and a line: wan tell PATH WORD...");
  const sockaddr_un there = address_of(words[0]);
  const descriptor socket = datagram_socket();
  // A name in the file system: abstract ones end at the border of a network namespace.
  const std::string own = fmt::format("{}.{}", words[0], ::getpid());
  if (!bind_to(socket, address_of(own))) fail(own);

  const std::string line = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
  const timeval patience{5, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string answer(longest_datagram, '\0');
  const bool sent = ::sendto(socket.get(), line.data(), line.size(), MSG_NOSIGNAL, generic(there),
                             sizeof there) == static_cast<ssize_t>(line.size());
  const ssize_t size = sent ? ::recv(socket.get(), answer.data(), answer.size(), 0) : -1;
  const int error = errno;
  ::unlink(own.c_str());
  if (size < 0) fail(words[0], error);
  answer.resize(static_cast<std::size_t>(size));
  std::fputs(answer.c_str(), stdout);
  return answer.starts_with("error") ? 1 : 0;
}

} // namespace gotunnel::wan
