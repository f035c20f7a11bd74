#include "gotunnel/app/system_call_filter.hpp"

#include <cerrno>
#include <memory>

#include <seccomp.h>

namespace gotunnel::app {
namespace {

constexpr const char* never[] = {
    // Other programs.
    "execve", "execveat",
    // Into other processes.
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp",
    // Into the kernel.
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf", "perf_event_open",
    "userfaultfd", "io_uring_setup", "iopl", "ioperm", "reboot", "syslog", "acct", "swapon", "swapoff",
    "personality", "keyctl", "add_key", "request_key", "quotactl", "lookup_dcookie",
    // Into other places of the file system, and other namespaces.
    "mount", "umount2", "pivot_root", "chroot", "mount_setattr", "open_tree", "move_mount", "fsopen",
    "fsconfig", "fsmount", "fspick", "setns", "unshare", "open_by_handle_at", "mknod", "mknodat",
    // The machine's name and time.
    "sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime"};

} // namespace

bool forbid_system_calls() {
  const std::unique_ptr<void, void (*)(void*)> filter(::seccomp_init(SCMP_ACT_ALLOW), [](void* made) {
    if (made != nullptr) ::seccomp_release(made);
  });
  if (!filter) return false;
  const auto forbid = [&filter](const char* name) {
    const int number = ::seccomp_syscall_resolve_name(name);
    // Unknown to this library or architecture: nothing to forbid.
    return number == __NR_SCMP_ERROR ||
           ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0) == 0;
  };
  for (const char* name : never)
    if (!forbid(name)) return false;
  return ::seccomp_load(filter.get()) == 0;
}

} // namespace gotunnel::app
