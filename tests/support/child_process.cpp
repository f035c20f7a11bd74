#include "support/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>

extern char** environ;

namespace gotunnel::testing {
namespace {

/// Beyond this a chatty child is still read, so that it does not block, but no longer remembered.
constexpr std::size_t most_remembered = 64UL * 1024 * 1024;

[[noreturn]] void fail(int error, const std::string& doing) {
  throw std::system_error(error, std::generic_category(), doing);
}

struct pipe_ends {
  int read = -1;
  int write = -1;

  pipe_ends() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(errno, "pipe");
    read = ends[0];
    write = ends[1];
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
  void close_write() { ::close(std::exchange(write, -1)); }
};

std::vector<std::string> environment_of(const child_options& options) {
  std::vector<std::string> all;
  const auto replaced = [&](std::string_view entry) {
    for (const auto& [name, value] : options.environment) {
      if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') return true;
    }
    return false;
  };
  if (!options.clean_environment) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!replaced(*entry)) all.emplace_back(*entry);
    }
  }
  for (const auto& [name, value] : options.environment) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// All that the child needs between fork and exec, prepared before: other threads of the test may hold the
/// heap's lock.
struct launch {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* directory;
  const std::vector<resource_limit>& limits;
  int out;
  int err;
  int failure;
  int pass;
  pid_t parent;
};

bool prepare(const launch& plan) {
  // The parent may have died before the request was in force.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != plan.parent) return false;
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(plan.out, 1) < 0 || ::dup2(plan.err, 2) < 0) return false;
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) return false;
  for (const resource_limit& limit : plan.limits) {
    const rlimit both{limit.value, limit.value};
    if (::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &both) != 0) return false;
  }
  // What the test blocks or ignores must not be inherited: a server that ignores SIGPIPE by accident passes
  // by accident.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    ::sigaction(number, &standard, nullptr);
  // A descriptor that the test opened without CLOEXEC would keep a port or a pipe alive; failure is harmless.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.pass < 0) return true;
  return plan.pass == 3 ? ::fcntl(3, F_SETFD, 0) == 0 : ::dup2(plan.pass, 3) == 3;
}

[[noreturn]] void become(launch plan) {
  // Out of the way of what is passed.
  if (plan.pass >= 0 && plan.failure == 3) plan.failure = ::fcntl(3, F_DUPFD_CLOEXEC, 10);
  if (prepare(plan)) ::execvpe(plan.program, plan.arguments, plan.environment);
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(plan.failure, &error, sizeof error);
  ::_exit(127);
}

} // namespace

child_process::child_process(const std::string& program, const child_options& options) {
  std::vector<std::string> words{program};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> variables = environment_of(options);
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> environment = pointers_to(variables);
  pipe_ends out;
  pipe_ends err;
  pipe_ends failure;
  pipe_ends stop;
  const launch plan{program.c_str(),
                    arguments.data(),
                    environment.data(),
                    options.directory.empty() ? nullptr : options.directory.c_str(),
                    options.limits,
                    options.out < 0 ? out.write : options.out,
                    options.err < 0 ? err.write : options.err,
                    failure.write,
                    options.pass,
                    ::getpid()};

  pid_ = ::fork();
  if (pid_ < 0) fail(errno, "fork");
  if (pid_ == 0) become(plan);

  out.close_write();
  err.close_write();
  failure.close_write();
  int error = 0;
  ssize_t got = 0;
  do got = ::read(failure.read, &error, sizeof error);
  while (got < 0 && errno == EINTR);
  if (got != 0) {
    ::waitpid(pid_, nullptr, 0);
    fail(got == sizeof error ? error : EIO, "cannot run " + program);
  }

  captures_[0].descriptor = std::exchange(out.read, -1);
  captures_[1].descriptor = std::exchange(err.read, -1);
  stop_reading_ = std::exchange(stop.write, -1);
  reader_ = std::thread([this, stopped = std::exchange(stop.read, -1)] {
    std::array<pollfd, 3> watched{
        {{captures_[0].descriptor, POLLIN, 0}, {captures_[1].descriptor, POLLIN, 0}, {stopped, POLLIN, 0}}};
    std::vector<char> piece(64UL * 1024);
    while (watched[0].fd >= 0 || watched[1].fd >= 0) {
      if (::poll(watched.data(), watched.size(), -1) < 0) continue;
      // Both are looked at after the other was read, and told of together: whoever hears a line also finds
      // what the child said before it on its other output.
      const std::lock_guard lock(mutex_);
      for (const std::size_t i : {0UL, 1UL, 0UL}) {
        if (watched[i].fd < 0 || ::poll(&watched[i], 1, 0) <= 0) continue;
        const ssize_t count = ::read(watched[i].fd, piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count > 0 && captures_[i].text.size() < most_remembered) {
          captures_[i].text.append(piece.data(), static_cast<std::size_t>(count));
        }
        if (count <= 0) {
          captures_[i].ended = true;
          watched[i].fd = -1;
        }
      }
      changed_.notify_all();
      if (watched[2].revents != 0) break;
    }
    ::close(stopped);
  });
  reaper_ = std::thread([this] { reap(); });
}

child_process::~child_process() {
  signal(SIGKILL);
  reaper_.join();
  ::close(stop_reading_);
  reader_.join();
  for (const capture& one : captures_) ::close(one.descriptor);
}

void child_process::reap() {
  // First wait without reaping, so that the pid stays ours until the lock is held: signal() then never hits a
  // stranger.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  exit_status status;
  int raw = 0;
  ::wait4(pid_, &raw, 0, &status.usage);
  status.signal = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0;
  status.code = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
  status_ = status;
  changed_.notify_all();
}

bool child_process::running() const {
  const std::lock_guard lock(mutex_);
  return !status_;
}

void child_process::signal(int number) {
  const std::lock_guard lock(mutex_);
  if (!status_) ::kill(pid_, number);
}

std::optional<exit_status> child_process::wait(milliseconds limit) {
  const deadline until = std::chrono::steady_clock::now() + limit;
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, until, [this] { return status_.has_value(); })) return std::nullopt;
  // The last words may still be in the pipe. A grandchild that holds the pipe must not hold the test.
  changed_.wait_until(lock, until, [this] { return captures_[0].ended && captures_[1].ended; });
  return status_;
}

std::optional<exit_status> child_process::wait_for_exit(milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return status_.has_value(); });
  return status_;
}

std::optional<std::string> child_process::line_before(output which, deadline until) {
  capture& from = captures_[static_cast<std::size_t>(which)];
  std::unique_lock lock(mutex_);
  std::size_t end = std::string::npos;
  const auto whole_line = [&] {
    end = from.text.find('\n', from.read);
    return end != std::string::npos || from.ended;
  };
  if (!changed_.wait_until(lock, until, whole_line)) return std::nullopt;
  if (end == std::string::npos && from.read == from.text.size()) return std::nullopt;
  std::string line = from.text.substr(from.read, end == std::string::npos ? end : end - from.read);
  from.read = end == std::string::npos ? from.text.size() : end + 1;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::optional<std::string> child_process::read_line(output which, milliseconds limit) {
  return line_before(which, std::chrono::steady_clock::now() + limit);
}

std::optional<std::string> child_process::wait_for(output which, std::string_view text, milliseconds limit) {
  const deadline until = std::chrono::steady_clock::now() + limit;
  while (auto line = line_before(which, until)) {
    if (line->find(text) != std::string::npos) return line;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> child_process::wait_for_number(output which, std::string_view prefix,
                                                            milliseconds limit) {
  const deadline until = std::chrono::steady_clock::now() + limit;
  while (const auto line = line_before(which, until)) {
    if (!line->starts_with(prefix)) continue;
    std::uint64_t number = 0;
    const char* const first = line->data() + prefix.size();
    if (std::from_chars(first, line->data() + line->size(), number).ec == std::errc{}) return number;
  }
  return std::nullopt;
}

std::string child_process::captured(output which) const {
  const std::lock_guard lock(mutex_);
  return captures_[static_cast<std::size_t>(which)].text;
}

} // namespace gotunnel::testing
