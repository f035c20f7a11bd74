#include "gotunnel/app/surroundings.hpp"

#include "gotunnel/net/last_error.hpp"

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

// SIGPIPE: a peer that is gone is an error of the write. SIGXFSZ: so is a file that may not grow. SIGTTOU: a
// log to a terminal goes on in the background. The rest ends a process that expects none of them. A server
// makes something of SIGUSR2 later, and both programs of SIGHUP.
constexpr int ignored[] = {SIGPIPE,  SIGXFSZ,   SIGTTOU, SIGUSR1, SIGUSR2,
                           SIGALRM,  SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,
#if defined(SIGSTKFLT)
                           SIGSTKFLT
#endif
};

void open_standard_streams() {
  for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(each, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest that is free is this one.
    if (::open("/dev/null", O_RDWR) != each)
      throw boost::system::system_error(net::last_error(), "/dev/null");
  }
}

void settle_signals() {
  for (const int each : ignored) std::signal(each, SIG_IGN);
  for (int each = SIGRTMIN; each <= SIGRTMAX; ++each) std::signal(each, SIG_IGN);
  // An ignored end of a child cannot be waited for.
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

} // namespace

void settle_surroundings() {
  open_standard_streams();
  settle_signals();
  ::umask(077);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  forbid_inspection();
}

void forbid_inspection() noexcept { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

} // namespace gotunnel::app
