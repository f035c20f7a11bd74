#include "gotunnel/app/service_manager.hpp"

#include "support/environment.hpp"
#include "support/notify_socket.hpp"
#include "support/run.hpp"
#include "support/scratch_directory.hpp"

#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

/// What systemd sets, for as long as a test needs it.
struct started_by {
  explicit started_by(const std::optional<std::string>& socket,
                      const std::optional<std::string>& watchdog_us = {},
                      const std::optional<std::string>& watchdog_pid = {})
      : notify("NOTIFY_SOCKET", socket), usec("WATCHDOG_USEC", watchdog_us),
        pid("WATCHDOG_PID", watchdog_pid) {}
  variable notify, usec, pid;
};

std::string trouble_with(const std::string& name) {
  const started_by systemd(name);
  const service_manager manager;
  BOOST_TEST(!manager.listens());
  return manager.trouble();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(service_manager_test, scratch_directory)

BOOST_AUTO_TEST_CASE(it_hears_each_step) {
  for (const std::string& name : {file("notify"), "@gotunnel-test-" + std::to_string(::getpid())}) {
    const notify_socket hears(name);
    const started_by systemd(name);
    service_manager manager;
    BOOST_TEST(manager.trouble() == "");
    BOOST_TEST(manager.listens());
    manager.ready("serving on 1.2.3.4:5");
    BOOST_TEST(hears.hear(5s) == "READY=1\nSTATUS=serving on 1.2.3.4:5\n");
    const auto before = std::chrono::steady_clock::now().time_since_epoch() / 1us;
    manager.reloading();
    const std::string said = hears.hear(5s);
    BOOST_TEST(said.starts_with("RELOADING=1\nMONOTONIC_USEC="), said);
    BOOST_TEST(said.ends_with("\nSTATUS=reading certificates and secrets again\n"), said);
    const long long at = std::stoll(said.substr(said.find("USEC=") + 5));
    BOOST_TEST(at >= before);
    BOOST_TEST(at <= std::chrono::steady_clock::now().time_since_epoch() / 1us);
    manager.reloaded();
    BOOST_TEST(hears.hear(5s) == "READY=1\nSTATUS=serving on 1.2.3.4:5\n");
    manager.main_process(4711);
    BOOST_TEST(hears.hear(5s) == "MAINPID=4711\n");
    manager.stopping("bye");
    BOOST_TEST(hears.hear(5s) == "STOPPING=1\nSTATUS=bye\n");
    manager.reloading();
    manager.reloaded();
    BOOST_TEST(hears.hear(0s) == "");
  }
}

BOOST_AUTO_TEST_CASE(without_one_nothing_is_said) {
  run([](log_capture&) -> asio::awaitable<void> {
    const started_by nobody(std::nullopt, "1000");
    service_manager manager;
    BOOST_TEST(!manager.listens());
    BOOST_TEST(manager.trouble() == "");
    manager.ready("serving");
    manager.stopping("bye");
    co_await manager.keep_alive(); // at once
  });
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_used_is_one_sentence) {
  BOOST_TEST(
      trouble_with("relative") ==
      "NOTIFY_SOCKET \"relative\": neither a path nor @NAME; the service manager will not hear of this "
      "server");
  BOOST_TEST(trouble_with("/" + std::string(200, 'x')).find("longer than a socket's name") !=
             std::string::npos);
  BOOST_TEST(trouble_with(file("nowhere")).find("No such file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_manager_that_is_gone_or_full_is_not_waited_for) {
  std::optional<notify_socket> hears(std::in_place, file("notify"));
  const started_by systemd(hears->name());
  service_manager manager;
  for (int i = 0; i < 5000; ++i) manager.ready("serving"); // more than any queue takes
  hears.reset();
  manager.ready("serving");
}

BOOST_AUTO_TEST_CASE(the_watchdog_is_fed_twice_in_its_time) {
  run([this](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const notify_socket hears(file("notify"));
    const started_by systemd(hears.name(), "20000", std::to_string(::getpid()));
    service_manager manager;
    BOOST_TEST((manager.watchdog() == 20ms));
    BOOST_TEST(std::getenv("WATCHDOG_PID") == nullptr); // whoever takes over is another
    net::task_group tasks(where, "test");
    const auto begin = std::chrono::steady_clock::now();
    tasks.spawn("watchdog", manager.keep_alive());
    for (int i = 0; i < 3; ++i) co_await until([&hears] { return hears.hear(0s) == "WATCHDOG=1\n"; });
    BOOST_TEST((std::chrono::steady_clock::now() - begin >= 20ms));
    tasks.cancel();
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(a_watchdog_of_another_process_or_without_a_number_is_none) {
  const notify_socket hears(file("notify"));
  {
    const started_by systemd(hears.name(), "20000", "1");
    BOOST_TEST((service_manager().watchdog() == 0s));
    BOOST_TEST(std::getenv("WATCHDOG_PID") != nullptr);
  }
  for (const char* usec : {"", "x", "-1", "0"}) {
    const started_by systemd(hears.name(), usec);
    BOOST_TEST((service_manager().watchdog() == 0s));
  }
}

BOOST_AUTO_TEST_SUITE_END()
