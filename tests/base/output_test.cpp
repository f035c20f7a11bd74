#include "gotunnel/base/output.hpp"

#include "gotunnel/base/counters.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gotunnel;
using stream = output::stream;

namespace {

constexpr int patience_ms = 10'000;

// ThreadSanitizer takes a descriptor that becomes another for a race, and a child of a process with threads
// may have no threads under it.
#if defined(__SANITIZE_THREAD__)
constexpr bool threads_are_watched = true;
#else
constexpr bool threads_are_watched = false;
#endif

/// A pipe of one page that is read when the test wants it.
class slow_reader {
public:
  explicit slow_reader(int flags = 0) {
    BOOST_REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0);
    BOOST_REQUIRE(::fcntl(ends_[1], F_SETPIPE_SZ, 4096) == 4096);
    BOOST_REQUIRE(::fcntl(ends_[1], F_SETFL, flags) == 0);
    std::signal(SIGPIPE, SIG_IGN); // as the program does
  }
  slow_reader(const slow_reader&) = delete;
  slow_reader& operator=(const slow_reader&) = delete;
  ~slow_reader() {
    leave();
    ::close(ends_[1]);
  }

  [[nodiscard]] int end() const { return ends_[1]; }
  void leave() { ::close(std::exchange(ends_[0], -1)); }

  /// Reads on until `last` has come. In any thread: the macros of Boost.Test are not made for threads.
  std::string hear_until(std::string_view last) {
    std::array<char, 4096> piece{};
    pollfd readable{ends_[0], POLLIN, 0};
    while (text_.find(last) == std::string::npos && ::poll(&readable, 1, patience_ms) == 1) {
      const ssize_t count = ::read(ends_[0], piece.data(), piece.size());
      if (count <= 0) break;
      text_.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text_;
  }
  std::string read_until(std::string_view last) {
    const std::string text = hear_until(last);
    BOOST_TEST(text.find(last) != std::string::npos, "not among " << text.size() << " bytes: " << last);
    return text;
  }

private:
  std::array<int, 2> ends_{-1, -1};
  std::string text_;
};

std::string line(int number) { return "line " + std::to_string(number) + " of a log that is long enough\n"; }

std::string lines(int first, int end) {
  std::string all;
  for (int i = first; i < end; ++i) all += line(i);
  return all;
}

std::string loss(std::uint64_t count) { return std::to_string(count) + " lost\n"; }

/// Runs `body` in a process of its own, which ends by it; how it ended.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = -1;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

/// Turns the process's own standard error to `to`, in a child of the test.
output& said_to(int to) {
  ::dup2(to, STDERR_FILENO);
  return output::of_process();
}

} // namespace

BOOST_AUTO_TEST_SUITE(base_output)

BOOST_AUTO_TEST_CASE(what_is_said_is_written_in_order_before_and_after_the_start) {
  slow_reader err;
  output said(-1, err.end());
  for (int i = 0; i < 300; ++i) said.say(stream::err, line(i)); // three times what the pipe holds
  said.start();
  for (int i = 300; i < 600; ++i) said.say(stream::err, line(i));
  BOOST_TEST((err.read_until(line(599)) == lines(0, 600)));
  BOOST_TEST(said.flush(10s));
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_holds_nobody_and_is_told_what_it_missed) {
  slow_reader err;
  output said(-1, err.end());
  said.tell_losses(loss);
  said.start();
  const auto before = counters::value(counter::log_lines_lost);
  const int more_than_fit = 20'000;
  for (int i = 0; i < more_than_fit; ++i) said.say(stream::err, line(i));
  const auto lost = counters::value(counter::log_lines_lost) - before;
  BOOST_TEST(lost > 10'000U);
  BOOST_TEST(!said.flush(20ms)); // bounded, and says that it was in vain

  const int kept = more_than_fit - static_cast<int>(lost);
  BOOST_TEST((err.read_until(loss(lost)) == lines(0, kept) + loss(lost)));
  said.say(stream::err, "from here on\n");
  BOOST_TEST((err.read_until("from here on\n") == lines(0, kept) + loss(lost) + "from here on\n"));
}

BOOST_AUTO_TEST_CASE(a_pipe_that_does_not_block_and_was_full_once_goes_on) {
  for (const bool with_thread : {true, false}) {
    slow_reader err(O_NONBLOCK);
    output said(-1, err.end());
    if (with_thread) said.start();
    for (int i = 0; i < 300; ++i) said.say(stream::err, line(i));
    BOOST_TEST(!said.flush(20ms));
    std::thread reader([&err] { static_cast<void>(err.hear_until(line(300))); });
    said.say(stream::err, line(300));
    BOOST_TEST(said.flush(10s));
    reader.join();
    BOOST_TEST((err.read_until(line(300)) == lines(0, 301)));
  }
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_not_the_end_of_the_log,
                     *boost::unit_test::enable_if<!threads_are_watched>()) {
  const int disk = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  const int file = ::memfd_create("log", MFD_CLOEXEC);
  BOOST_REQUIRE((disk >= 0 && file >= 0));
  output said(-1, disk);
  said.say(stream::err, "before the start\n");
  said.start();
  said.say(stream::err, "while it is full\n");
  BOOST_TEST(!said.flush(10s)); // at once: a descriptor that fails is not waited for
  ::dup2(file, disk);           // somebody has made room
  said.say(stream::err, "afterwards\n");
  const std::string all = "before the start\nwhile it is full\nafterwards\n";
  std::string text;
  for (int i = 0; i < patience_ms && text.size() < all.size(); ++i) {
    text.resize(1024);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(::pread(file, text.data(), text.size(), 0), 0)));
    ::poll(nullptr, 0, 1);
  }
  BOOST_TEST(text == all);
  ::close(file);
  ::close(disk);
}

BOOST_AUTO_TEST_CASE(nobody_is_waited_for_who_is_gone) {
  slow_reader err;
  output said(-1, err.end());
  said.start();
  err.leave();
  const auto before = counters::value(counter::log_lines_lost);
  said.say(stream::err, "a line\n");
  BOOST_TEST(said.flush(10s));
  BOOST_TEST(counters::value(counter::log_lines_lost) - before == 1U);

  const int closed = ::dup(err.end());
  ::close(closed);
  output nowhere(closed, -1);
  nowhere.say(stream::out, "a line\n");
  BOOST_TEST(nowhere.flush(10s));
}

BOOST_AUTO_TEST_CASE(one_stream_does_not_hold_the_other_up) {
  for (const bool out_is_stuck : {true, false}) {
    slow_reader stuck;
    slow_reader read;
    output said(out_is_stuck ? stuck.end() : read.end(), out_is_stuck ? read.end() : stuck.end());
    said.start();
    for (int i = 0; i < 300; ++i) said.say(out_is_stuck ? stream::out : stream::err, line(i));
    said.say(out_is_stuck ? stream::err : stream::out, "through\n");
    BOOST_TEST(read.read_until("through\n") == "through\n");
  }
}

BOOST_AUTO_TEST_CASE(print_waits_for_its_reader) {
  slow_reader out;
  const output said(out.end(), -1);
  std::string heard;
  std::thread reader([&] { heard = out.hear_until(line(999)); });
  said.print(lines(0, 1000));
  reader.join();
  BOOST_TEST((heard == lines(0, 1000)));
}

BOOST_AUTO_TEST_CASE(a_forked_child_neither_repeats_nor_loses_lines_nor_waits_for_ever,
                     *boost::unit_test::enable_if<!threads_are_watched>()) {
  std::string heard;
  slow_reader err;
  std::thread reader([&] { heard = err.hear_until("the end\n"); });
  in_child([&err] {
    output& said = said_to(err.end());
    said.start();
    for (int i = 0; i < 300; ++i) said.say(stream::err, line(i));
    in_child([&said] {
      said.say(stream::err, "from the child\n");
      said.flush(10s);
    });
    said.say(stream::err, "the end\n");
    said.flush(10s);
  });
  reader.join();
  const std::size_t at = heard.find("from the child\n");
  BOOST_REQUIRE(at != std::string::npos);
  heard.erase(at, std::string("from the child\n").size());
  BOOST_TEST((heard == lines(0, 300) + "the end\n"));
}

BOOST_AUTO_TEST_CASE(the_last_lines_before_an_abort_come_out,
                     *boost::unit_test::enable_if<!threads_are_watched>()) {
  slow_reader err;
  std::string heard;
  std::thread reader([&] { heard = err.hear_until(line(299)); });
  const int status = in_child([&err] {
    output& said = said_to(err.end());
    said.start();
    std::signal(SIGABRT, [](int) { output::of_process().flush_in_handler(10s); });
    for (int i = 0; i < 300; ++i) said.say(stream::err, line(i));
    std::abort();
  });
  reader.join();
  BOOST_TEST(WTERMSIG(status) == SIGABRT);
  BOOST_TEST((heard == lines(0, 300)));
}

BOOST_AUTO_TEST_SUITE_END()
