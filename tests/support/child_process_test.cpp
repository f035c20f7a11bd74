#include "support/child_process.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <system_error>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

child_options script(std::string text) { return {.arguments = {"-c", std::move(text)}}; }

} // namespace

BOOST_AUTO_TEST_SUITE(child_process_test)

BOOST_AUTO_TEST_CASE(both_outputs_are_captured_line_by_line) {
  child_process child("/bin/sh", script("echo one; echo two >&2; printf three; exit 7"));
  BOOST_TEST(child.read_line(output::out, 5s).value() == "one");
  BOOST_TEST(child.read_line(output::err, 5s).value() == "two");
  BOOST_TEST(child.read_line(output::out, 5s).value() == "three");
  BOOST_TEST(!child.read_line(output::out, 5s).has_value());
  BOOST_TEST(child.wait(5s).value().code == 7);
  BOOST_TEST(child.captured(output::out) == "one\nthree");
  BOOST_TEST(!child.running());
}

BOOST_AUTO_TEST_CASE(lines_are_skipped_until_the_wanted_one) {
  child_process child("/bin/sh",
                      script("echo noise; echo listening soon; echo listening 4711; echo here it is"));
  BOOST_TEST(child.wait_for_number(output::out, "listening ", 5s).value() == 4711U);
  BOOST_TEST(child.wait_for(output::out, "it", 5s).value() == "here it is");
}

BOOST_AUTO_TEST_CASE(a_deadline_passes_and_the_child_can_be_asked_again) {
  child_process child("/bin/sh",
                      script("trap 'echo stopping; exit 3' TERM; echo ready; while :; do sleep 0.01; done"));
  BOOST_TEST(child.read_line(output::out, 5s).value() == "ready");
  BOOST_TEST(!child.read_line(output::out, 10ms).has_value());
  BOOST_TEST(!child.wait(10ms).has_value());
  BOOST_TEST(child.running());
  child.signal(SIGTERM);
  BOOST_TEST(child.wait(5s).value().code == 3);
  BOOST_TEST(child.read_line(output::out, 5s).value() == "stopping");
}

BOOST_AUTO_TEST_CASE(a_signal_is_told_from_an_exit) {
  child_process child("/bin/sleep", {.arguments = {"60"}});
  child.signal(SIGKILL);
  const auto status = child.wait(5s);
  BOOST_TEST(status.value().signal == SIGKILL);
  BOOST_TEST(status.value().code == 128 + SIGKILL);
}

BOOST_AUTO_TEST_CASE(the_destructor_ends_what_still_runs) {
  pid_t pid = 0;
  {
    child_process child("/bin/sleep", {.arguments = {"60"}});
    pid = child.pid();
  }
  BOOST_TEST(::kill(pid, 0) == -1);
}

BOOST_AUTO_TEST_CASE(environment_directory_and_limits_are_set) {
  child_options options = script("echo $COLOUR; pwd; ulimit -n");
  options.environment = {{"COLOUR", "green"}};
  options.directory = std::string("/"); // g++ 12 warns falsely about the plain literal
  options.limits = {{RLIMIT_NOFILE, 123}};
  child_process child("/bin/sh", options);
  BOOST_TEST(child.read_line(output::out, 5s).value() == "green");
  BOOST_TEST(child.read_line(output::out, 5s).value() == "/");
  BOOST_TEST(child.read_line(output::out, 5s).value() == "123");
}

BOOST_AUTO_TEST_CASE(a_descriptor_is_passed_as_number_3) {
  std::array<int, 2> pipe{};
  BOOST_TEST_REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  child_options options = script("echo through >&3");
  options.pass = pipe[1];
  child_process child("/bin/sh", options);
  ::close(pipe[1]);
  std::array<char, 16> heard{};
  BOOST_TEST(::read(pipe[0], heard.data(), heard.size()) == 8);
  BOOST_TEST(std::string(heard.data()) == "through\n");
  ::close(pipe[0]);
  BOOST_TEST(child.wait(5s).value().code == 0);
  child_process other("/bin/sh", script("echo nowhere >&3"));
  BOOST_TEST(other.wait(5s).value().code != 0);
}

BOOST_AUTO_TEST_CASE(a_clean_environment_inherits_nothing) {
  child_process child("/usr/bin/env", {.environment = {{"ONLY", "this"}}, .clean_environment = true});
  BOOST_TEST(child.wait(5s).value().code == 0);
  BOOST_TEST(child.captured(output::out) == "ONLY=this\n");
}

BOOST_AUTO_TEST_CASE(more_than_a_pipe_holds_does_not_block_the_child) {
  child_process child(
      "/bin/sh", script("i=0; while [ $i -lt 4000 ]; do echo 0123456789012345678901234567890123456789 >&2; "
                        "i=$((i+1)); done"));
  BOOST_TEST(child.wait(20s).value().code == 0);
  BOOST_TEST(child.captured(output::err).size() == 4000U * 41U);
}

BOOST_AUTO_TEST_CASE(what_cannot_run_is_an_error_at_once) {
  BOOST_CHECK_THROW(child_process("/no/such/program"), std::system_error);
  BOOST_CHECK_THROW(child_process("/bin/true", {.directory = "/no/such/directory"}), std::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
