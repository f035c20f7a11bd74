#include "side.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace gotunnel::wan {
namespace {

/// What the process of a side says when its network stands, or why it does not. The descriptor of the
/// interface travels beside it.
struct report {
  int error = 0;
  std::array<char, 124> doing{};
};

/// Room for the one descriptor that travels, aligned as the kernel wants it.
union passenger {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int))> room;
};

void send_report(int to, report what, int interface) {
  iovec text{&what, sizeof what};
  passenger seat{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (interface >= 0) {
    message.msg_control = seat.room.data();
    message.msg_controllen = seat.room.size();
    seat.header.cmsg_level = SOL_SOCKET;
    seat.header.cmsg_type = SCM_RIGHTS;
    seat.header.cmsg_len = CMSG_LEN(sizeof interface);
    std::memcpy(CMSG_DATA(&seat.header), &interface, sizeof interface);
  }
  if (::sendmsg(to, &message, MSG_NOSIGNAL) < 0) ::_exit(1);
}

/// Ready to be an end of the link, this process waits for the word, and is gone without one.
void prepare(const side_plan& plan, int talk) {
  try {
    enter_own_network();
    // After the namespaces: a change of user takes this request back.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("prctl");
    const descriptor tun = open_interface(plan.address, plan.mtu);
    send_report(talk, {}, tun.get());
  } catch (const std::system_error& e) {
    report why{e.code().value(), {}};
    const std::string doing = e.what();
    std::copy_n(doing.data(), std::min(doing.size(), why.doing.size() - 1), why.doing.data());
    send_report(talk, why, -1);
    ::_exit(1);
  }
  char word = 0;
  // Also when the parent died before the request above was in force.
  if (::read(talk, &word, 1) != 1) ::_exit(1);
}

[[noreturn]] void become_command(const side_plan& plan) {
  ::setenv("WAN_SIDE", plan.name.c_str(), 1);
  ::setenv("WAN_LOCAL", plan.address.local.c_str(), 1);
  ::setenv("WAN_PEER", plan.address.peer.c_str(), 1);
  if (!plan.control.empty()) ::setenv("WAN_CONTROL", plan.control.c_str(), 1);
  if (!plan.own_stdin) {
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0) ::_exit(127);
  }
  // What the link itself blocks and ignores is not for the command.
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execl("/bin/sh", "sh", "-c", plan.command.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

/// The interface; throws what the process says, or that it is gone.
descriptor receive_interface(const side_plan& plan, int talk) {
  report said;
  iovec text{&said, sizeof said};
  passenger seat{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = seat.room.data();
  message.msg_controllen = seat.room.size();
  const ssize_t got = ::recvmsg(talk, &message, MSG_CMSG_CLOEXEC);
  if (got != sizeof said) throw std::runtime_error(fmt::format("the process of the {} side died", plan.name));
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (said.error == 0 && header != nullptr) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    return descriptor(number);
  }
  const std::string doing = fmt::format("the network of the {} side: {}", plan.name, said.doing.data());
  // ENOSPC: as many user namespaces as the system allows. The others are the device that is missing.
  for (const int missing : {EPERM, EACCES, ENOSPC, ENOENT, ENODEV, ENXIO})
    if (said.error == missing) throw not_permitted(doing + "; this takes root, or user namespaces and TUN");
  throw std::runtime_error(doing);
}

} // namespace

side::side(const side_plan& plan) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  talk_ = descriptor(ends[0]);
  const descriptor theirs(ends[1]);
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    // Else it would wait for a word from itself when we die.
    talk_.close();
    prepare(plan, theirs.get());
    become_command(plan);
  }
  try {
    interface_ = receive_interface(plan, talk_.get());
  } catch (...) {
    talk_.close();
    ::waitpid(pid_, nullptr, 0);
    throw;
  }
}

void side::start() {
  const char word = 0;
  if (::send(talk_.get(), &word, 1, MSG_NOSIGNAL) != 1) fail("start of a side");
  talk_.close();
}

} // namespace gotunnel::wan
