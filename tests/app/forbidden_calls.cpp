// System calls by number: what the C library would make of them does not matter to an attacker.
#include "app/forbidden.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace gotunnel::testing {
namespace {

bool refused(long outcome) { return outcome == -1 && (errno == EPERM || errno == ENOSYS); }

/// A child that came to be ends at once, so that it does no more of this.
bool no_child(long outcome) {
  if (outcome == 0) std::_Exit(0);
  if (outcome > 0) ::waitpid(static_cast<pid_t>(outcome), nullptr, __WALL);
  return refused(outcome);
}

void try_processes() {
  constexpr std::pair<std::uint64_t, const char*> namespaces[] = {
      {CLONE_NEWNS, "NEWNS"},   {CLONE_NEWCGROUP, "NEWCGROUP"}, {CLONE_NEWUTS, "NEWUTS"},
      {CLONE_NEWIPC, "NEWIPC"}, {CLONE_NEWUSER, "NEWUSER"},     {CLONE_NEWPID, "NEWPID"},
      {CLONE_NEWNET, "NEWNET"}, {0, "no new namespace"}};
  for (const auto& [flag, name] : namespaces) {
    expect(no_child(::syscall(SYS_clone, flag | SIGCHLD, nullptr, nullptr, nullptr, nullptr)),
           std::string("clone() made a process: ") + name);
    // In the upper half, where the kernel does not look.
    expect(no_child(::syscall(SYS_clone, flag | SIGCHLD | 1ULL << 40, nullptr, nullptr, nullptr, nullptr)),
           std::string("clone() made a process, with odd flags: ") + name);
    expect(refused(::syscall(SYS_unshare, flag | CLONE_FILES)), std::string("unshare() went well: ") + name);
    clone_args arguments{};
    arguments.flags = flag;
    arguments.exit_signal = SIGCHLD;
    expect(no_child(::syscall(SYS_clone3, &arguments, sizeof arguments)) && errno == ENOSYS,
           std::string("clone3() is there: ") + name);
  }
  expect(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 && errno == EPERM, "ptrace() went well");
  expect(refused(::syscall(SYS_kill, ::getppid(), 0)), "kill() reached another process");
  expect(refused(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)), "tgkill() reached another process");
  expect(refused(::syscall(SYS_pidfd_open, ::getppid(), 0)), "pidfd_open() reached another process");
  const rlimit none{0, 0};
  expect(refused(::syscall(SYS_prlimit64, ::getppid(), RLIMIT_CORE, &none, nullptr)),
         "prlimit64() reached another process");
  expect(refused(::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0)),
         "process_vm_readv() was tried");
}

void try_kernel() {
  expect(refused(::syscall(SYS_bpf, 0, nullptr, 0)), "bpf()");
  std::array<char, 120> parameters{};
  expect(refused(::syscall(SYS_io_uring_setup, 1, parameters.data())), "io_uring_setup()");
  expect(refused(::syscall(SYS_keyctl, 0, -3, 1)), "keyctl()");
  expect(refused(::syscall(SYS_add_key, "user", "a", "b", 1, -3)), "add_key()");
  expect(refused(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)), "perf_event_open()");
  expect(refused(::syscall(SYS_userfaultfd, 0)), "userfaultfd()");
  expect(refused(::syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, nullptr)), "mount()");
  expect(refused(::syscall(SYS_chroot, "/")), "chroot()");
  expect(refused(::syscall(SYS_setns, 0, 0)), "setns()");
  expect(refused(::syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, 0)), "open_by_handle_at()");
  expect(refused(::syscall(SYS_setuid, ::getuid())), "setuid()");
  expect(refused(::syscall(SYS_personality, 0)), "personality()");
  expect(refused(::syscall(9999)), "a system call that nobody knows");
}

bool gets_socket(int family, int type, int protocol = 0) {
  const int made = ::socket(family, type, protocol);
  if (made >= 0) ::close(made);
  return made >= 0;
}

/// Of one that listens, by the name that the kernel gave it.
bool reaches(int listener) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const int asking = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const bool reached = ::connect(asking, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  ::close(asking);
  return reached;
}

void try_sockets(const open_before& before) {
  for (const int family : {AF_INET, AF_INET6})
    for (const int type : {SOCK_STREAM, SOCK_DGRAM})
      expect(gets_socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK),
             "a socket of family " + std::to_string(family));
  expect(gets_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), "a Unix socket");
  expect(refused(::socket(AF_UNIX, SOCK_DGRAM, 0)), "a Unix socket for datagrams was made");
  if (before.landlock >= 6) expect(!reaches(before.abstract_listener), "an abstract Unix socket was reached");
  expect(gets_socket(AF_NETLINK, SOCK_RAW), "a socket for routes");
  for (const int family : {AF_ALG, AF_PACKET, AF_VSOCK, AF_KEY, AF_BLUETOOTH, AF_XDP, AF_RDS, AF_TIPC})
    expect(refused(::socket(family, SOCK_STREAM, 0)), "family " + std::to_string(family) + " is there");
  expect(refused(::socket(AF_INET, SOCK_RAW, 1)), "a raw socket was made");
  expect(refused(::socket(AF_NETLINK, SOCK_RAW, 9)), "a netlink socket for audits was made");
  std::array<int, 2> ends{};
  expect(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0, "a pair of sockets");
  for (const int each : ends) ::close(each);
}

void try_requests(int terminal) {
  int waiting = 0;
  termios how{};
  expect(::ioctl(terminal, FIONREAD, &waiting) == 0, "FIONREAD");
  expect(::ioctl(terminal, TCGETS, &how) == 0, "TCGETS");
  expect(::if_nametoindex("lo") != 0, "the index of lo");
  char letter = 'x';
  expect(refused(::ioctl(terminal, TIOCSTI, &letter)), "TIOCSTI typed into the terminal");
  expect(refused(::syscall(SYS_ioctl, terminal, TIOCSTI | 1ULL << 32, &letter)),
         "TIOCSTI typed, with an odd number");
  expect(refused(::ioctl(terminal, TIOCLINUX, &letter)), "TIOCLINUX was asked");
  expect(refused(::ioctl(terminal, TIOCSCTTY, 1)), "the terminal was taken");
  expect(refused(::fcntl(terminal, F_SETOWN, ::getppid())), "F_SETOWN named another process");
  expect(::fcntl(terminal, F_SETFL, ::fcntl(terminal, F_GETFL)) == 0, "F_SETFL");
  expect(::prctl(PR_SET_NAME, "forbidden") == 0, "PR_SET_NAME");
  expect(refused(::prctl(PR_SET_DUMPABLE, 1)), "PR_SET_DUMPABLE");
  expect(refused(::prctl(PR_SET_SECCOMP, 0)), "PR_SET_SECCOMP");
}

} // namespace

open_before prepare_calls() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return {};
  open_before all;
  all.terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  all.abstract_listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const sockaddr nameless{AF_UNIX, {}}; // the kernel gives it an abstract name (unix(7), autobind)
  if (::bind(all.abstract_listener, &nameless, sizeof nameless.sa_family) != 0 ||
      ::listen(all.abstract_listener, 1) != 0)
    return {};
  all.landlock = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return all;
}

void try_calls(const open_before& before) {
  try_processes();
  try_kernel();
  try_sockets(before);
  try_requests(before.terminal);
}

} // namespace gotunnel::testing
