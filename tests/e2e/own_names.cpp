#include "e2e/own_names.hpp"

#include "e2e/tunnel.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace gotunnel::testing {
namespace {

// RFC 1035, section 4.1.1.
constexpr std::size_t header_size = 12;
constexpr unsigned char is_response = 0x84; ///< QR and AA, in the third byte
constexpr unsigned char no_such_name = 3;   ///< RCODE, in the fourth
constexpr std::size_t count_of_answers = 7; ///< the low byte of it

const char* const resolver_files[] = {"resolv.conf", "nsswitch.conf", "hosts"};

void check(int outcome, const char* what) {
  if (outcome < 0) throw std::system_error(errno, std::generic_category(), what);
}

int open_namespace(const char* kind) {
  const int opened = ::open((std::string("/proc/thread-self/ns/") + kind).c_str(), O_RDONLY | O_CLOEXEC);
  check(opened, kind);
  return opened;
}

void start_loopback() {
  const loopback_socket any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::string("lo").copy(request.ifr_name, sizeof request.ifr_name - 1);
  check(::ioctl(any.descriptor(), SIOCGIFFLAGS, &request), "lo");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  check(::ioctl(any.descriptor(), SIOCSIFFLAGS, &request), "lo");
}

/// The name in a question, with dots; where it ends is left in `at`.
std::string name_in(const std::vector<unsigned char>& question, std::size_t& at) {
  std::string name;
  for (at = header_size; at < question.size() && question[at] != 0; at += question[at] + 1U) {
    if (!name.empty()) name.push_back('.');
    for (std::size_t i = at + 1; i <= at + question[at] && i < question.size(); ++i)
      name.push_back(static_cast<char>(question[i]));
  }
  ++at;
  return name;
}

} // namespace

boost::test_tools::assertion_result own_names_possible(boost::unit_test::test_unit_id) {
  child_process tried("unshare",
                      {.arguments = {"--mount", "--net", "--propagation", "private", "/bin/sh", "-c",
                                     "for each in resolv.conf nsswitch.conf hosts; do "
                                     "mount --bind /etc/passwd /etc/$each || exit; done"}});
  const auto ended = tried.wait(patience);
  boost::test_tools::assertion_result can(ended && ended->code == 0);
  can.message() << "namespaces of its own are not allowed here: " << tried.captured(output::err);
  return can;
}

dns_server::dns_server() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(53);
  ::inet_pton(AF_INET, "127.0.0.53", &name.sin_addr);
  check(::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name), "127.0.0.53:53");
  thread_ = std::thread([this] { run(); });
}

dns_server::~dns_server() {
  stopping_ = true;
  thread_.join();
}

void dns_server::answer(const std::string& name, const std::string& ipv4) {
  std::array<unsigned char, 4> address{};
  ::inet_pton(AF_INET, ipv4.c_str(), address.data());
  const std::lock_guard lock(mutex_);
  addresses_[name] = address;
}

void dns_server::run() {
  constexpr int turn = 5; // milliseconds
  while (!stopping_) {
    pollfd waiting{socket_.descriptor(), POLLIN, 0};
    if (::poll(&waiting, 1, turn) == 1) hear();
    for (; !replies_.empty() && replies_.front().due <= std::chrono::steady_clock::now();
         replies_.pop_front())
      ::sendto(socket_.descriptor(), replies_.front().bytes.data(), replies_.front().bytes.size(), 0,
               reinterpret_cast<const sockaddr*>(replies_.front().to.data()),
               static_cast<socklen_t>(replies_.front().to.size()));
  }
}

void dns_server::hear() {
  std::vector<unsigned char> question(512);
  std::vector<unsigned char> from(sizeof(sockaddr_in));
  auto size = static_cast<socklen_t>(from.size());
  const ssize_t count = ::recvfrom(socket_.descriptor(), question.data(), question.size(), 0,
                                   reinterpret_cast<sockaddr*>(from.data()), &size);
  if (count < static_cast<ssize_t>(header_size)) return;
  ++questions_;
  if (silent_) return;
  question.resize(static_cast<std::size_t>(count));
  const auto due = std::chrono::steady_clock::now() + delay_.load();
  replies_.push_back({due, answer_to(std::move(question)), std::move(from)});
}

/// The address of the name for a question of type A, nothing for one of another type.
std::vector<unsigned char> dns_server::answer_to(std::vector<unsigned char> question) {
  std::size_t at = 0;
  const std::string name = name_in(question, at);
  const bool wants_ipv4 = at + 4 <= question.size() && question[at + 1] == 1;
  question.resize(std::min(question.size(), at + 4)); // no EDNS
  question[2] = is_response;
  question[3] = 0;
  std::fill(question.begin() + count_of_answers - 1, question.begin() + header_size, 0);
  const std::lock_guard lock(mutex_);
  const auto found = addresses_.find(name);
  if (found == addresses_.end()) {
    question[3] = no_such_name;
  } else if (wants_ipv4) {
    question[count_of_answers] = 1;
    // The name of the question; type A, class IN, 0 s to live, 4 bytes.
    constexpr std::array<unsigned char, 12> record{0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4};
    question.insert(question.end(), record.begin(), record.end());
    question.insert(question.end(), found->second.begin(), found->second.end());
  }
  return question;
}

own_names::world::world(const std::filesystem::path& files)
    : network_(open_namespace("net")), mounts_(open_namespace("mnt")),
      directory_(std::filesystem::current_path().string()) {
  spill(files / "resolv.conf", "nameserver 127.0.0.53\n");
  spill(files / "nsswitch.conf", "hosts: files dns\n");
  spill(files / "hosts", "127.0.0.1 localhost\n::1 localhost\n");
  check(::unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare");
  check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private mounts");
  for (const char* each : resolver_files)
    check(::mount((files / each).c_str(), (std::string("/etc/") + each).c_str(), nullptr, MS_BIND, nullptr),
          each);
  start_loopback();
}

own_names::world::~world() {
  // What follows in a wrong world would pass or fail by accident.
  if (::setns(network_, CLONE_NEWNET) != 0 || ::setns(mounts_, CLONE_NEWNS) != 0 ||
      ::chdir(directory_.c_str()) != 0)
    std::terminate();
  ::close(network_);
  ::close(mounts_);
}

void own_names::remove_ipv4() {
  const loopback_socket any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::string("lo").copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_addr.sa_family = AF_INET; // 0.0.0.0 takes it away
  check(::ioctl(any.descriptor(), SIOCSIFADDR, &request), "lo without IPv4");
}

} // namespace gotunnel::testing
