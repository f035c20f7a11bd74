#include "gotunnel/app/system_call_filter.hpp"

#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

// Whatever the arguments are. Each row names what calls it; old and new forms of a call stand together, for
// the C library chooses by architecture and version.
constexpr const char* allowed[] = {
    // Memory: the allocator, stacks of threads, libraries of name services.
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "membarrier",
    // Files: certificates, the journal, the client's id, what resolves names.
    "open", "openat", "openat2", "close", "close_range", "read", "readv", "pread64", "preadv", "write",
    "writev", "pwrite64", "pwritev", "lseek", "_llseek", "stat", "stat64", "lstat", "lstat64", "fstat",
    "fstat64", "newfstatat", "fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "rename",
    "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat",
    "fchmodat2", "umask", "fsync", "fdatasync", "truncate", "truncate64", "ftruncate", "ftruncate64",
    "fallocate", "fadvise64", "flock", "dup", "dup2", "dup3", "pipe", "pipe2", "memfd_create",
    // Sockets that are there, and waiting for them.
    "connect", "bind", "listen", "accept", "accept4", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg",
    "shutdown", "sendfile", "sendfile64", "splice", "tee", "poll", "ppoll", "ppoll_time64", "select",
    "_newselect", "pselect6", "pselect6_time64", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "timerfd_settime64", "timerfd_gettime64", "signalfd4",
    // Time, and sleep.
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "clock_nanosleep",
    "clock_nanosleep_time64", "gettimeofday", "time", "times", "nanosleep", "restart_syscall",
    // Threads.
    "futex", "futex_time64", "futex_waitv", "set_robust_list", "rseq", "gettid", "set_tid_address",
    "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "getcpu", "exit",
    "exit_group",
    // Signals to itself.
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "sigaltstack", "pause",
    // What it is, and what it uses.
    "getpid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "getuid32", "geteuid", "geteuid32",
    "getgid", "getgid32", "getegid", "getegid32", "getresuid", "getresuid32", "getresgid", "getresgid32",
    "getgroups", "getgroups32", "capget", "getrlimit", "ugetrlimit", "getrusage", "sysinfo", "uname",
    "getrandom"};

// Not allowed either, and known to be what an attacker would try: EPERM says in a trace that it was refused.
constexpr const char* refused[] = {
    // Other programs, other processes, and signals to them.
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open",
    "pidfd_getfd", "pidfd_send_signal", "kcmp", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    // Another user, more rights.
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups",
    "capset",
    // Into the kernel.
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf", "perf_event_open",
    "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "iopl", "ioperm", "reboot",
    "syslog", "acct", "swapon", "swapoff", "personality", "keyctl", "add_key", "request_key", "quotactl",
    "lookup_dcookie",
    // Links and devices, other places of the file system, other namespaces.
    "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "chown", "fchown", "lchown", "fchownat",
    "setxattr", "lsetxattr", "fsetxattr", "mount", "umount2", "pivot_root", "chroot", "mount_setattr",
    "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "setns", "unshare",
    "name_to_handle_at", "open_by_handle_at",
    // The machine's name and time.
    "sethostname", "setdomainname", "settimeofday", "clock_settime", "clock_settime64", "adjtimex",
    "clock_adjtime"};

constexpr scmp_datum_t thread_flags = CLONE_VM | CLONE_THREAD;
constexpr scmp_datum_t namespace_flags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                         CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE |
                                         CLONE_UNTRACED;
#if defined(__s390__)
constexpr unsigned clone_flags_position = 1;
#else
constexpr unsigned clone_flags_position = 0;
#endif
constexpr scmp_datum_t socket_type_mask =
    0xf; // SOCK_TYPE_MASK of the kernel: without SOCK_CLOEXEC and its like

constexpr unsigned long requests[] = {
    FIONREAD, FIONBIO,   FIOCLEX,     FIONCLEX,     SIOCATMARK,
    SIOCINQ,  SIOCOUTQ,  SIOCOUTQNSD, SIOCGIFINDEX, SIOCGIFNAME, // scopes of IPv6 addresses
    TCGETS,   TIOCGWINSZ};                                       // whether an output is a terminal
// Without F_SETOWN and F_SETSIG, which send signals to others.
constexpr int file_commands[] = {F_DUPFD,      F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,
                                 F_GETFL,      F_SETFL,         F_GETLK,     F_SETLK,
                                 F_SETLKW,     F_OFD_GETLK,     F_OFD_SETLK, F_OFD_SETLKW,
                                 F_GETPIPE_SZ, F_SETPIPE_SZ,    F_ADD_SEALS, F_GET_SEALS};
constexpr int process_options[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE,
                                   PR_SET_VMA}; // names for the allocator's memory

/// The kernel takes these arguments as 32 bits: what stands in the upper half must not decide.
scmp_arg_cmp is(unsigned position, scmp_datum_t value, scmp_datum_t mask = 0xffffffffU) {
  return {position, SCMP_CMP_MASKED_EQ, mask, value};
}

class filter {
public:
  /// Whatever has no rule does not exist: the C library then does without, or does it the old way.
  filter() : rules_(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &::seccomp_release), well_(rules_ != nullptr) {}

  void allow(const char* call, std::initializer_list<scmp_arg_cmp> when = {}) {
    add(SCMP_ACT_ALLOW, call, when);
  }
  void refuse(const char* call) { add(SCMP_ACT_ERRNO(EPERM), call, {}); }
  /// False when the kernel, or one of the rules, was not to be had.
  [[nodiscard]] bool load() {
    if (!well_) return false;
    // A tree instead of a chain of comparisons; libraries before 2.5 have the chain only.
    ::seccomp_attr_set(rules_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return ::seccomp_load(rules_.get()) == 0;
  }

private:
  void add(std::uint32_t action, const char* call, std::initializer_list<scmp_arg_cmp> when) {
    const int number = ::seccomp_syscall_resolve_name(call);
    // Unknown to this library or architecture: it has no rule then, and does not exist.
    if (!well_ || number == __NR_SCMP_ERROR) return;
    well_ = ::seccomp_rule_add_array(rules_.get(), action, number, static_cast<unsigned>(when.size()),
                                     when.begin()) == 0;
  }

  std::unique_ptr<void, void (*)(void*)> rules_;
  bool well_;
};

void allow_sockets(filter& rules) {
  for (const int family : {AF_INET, AF_INET6})
    for (const int type : {SOCK_STREAM, SOCK_DGRAM})
      rules.allow("socket", {is(0, static_cast<unsigned>(family)),
                             is(1, static_cast<unsigned>(type), socket_type_mask)});
  // Without datagrams: those of the journal and of the service manager could be written to.
  for (const char* call : {"socket", "socketpair"})
    rules.allow(call, {is(0, AF_UNIX), is(1, SOCK_STREAM, socket_type_mask)});
  rules.allow("socket", {is(0, AF_NETLINK), is(2, 0)}); // NETLINK_ROUTE: addresses, and when they change
}

} // namespace

bool restrict_system_calls() {
  filter rules;
  for (const char* call : allowed) rules.allow(call);
  for (const char* call : refused) rules.refuse(call);
  // Its flags lie in memory, where a filter cannot look: without it, threads are made by clone().
  rules.allow("clone", {is(clone_flags_position, thread_flags, thread_flags | namespace_flags)});
  rules.allow("tgkill", {is(0, static_cast<unsigned>(::getpid()))});
  rules.allow("prlimit64", {is(0, 0)});
  allow_sockets(rules);
  for (const auto request : requests) rules.allow("ioctl", {is(1, request)});
  for (const int command : file_commands)
    for (const char* call : {"fcntl", "fcntl64"}) rules.allow(call, {is(1, static_cast<unsigned>(command))});
  for (const int option : process_options) rules.allow("prctl", {is(0, static_cast<unsigned>(option))});
  return rules.load();
}

} // namespace gotunnel::app
