#include "gotunnel/app/reloader.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/run.hpp"
#include "support/scratch_directory.hpp"
#include "support/strong_secrets.hpp"

#include <csignal>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

struct bench : scratch_directory {
  explicit bench(const net::executor& at) : where(at) { write("old\n"); }

  void write(std::string_view text) const {
    spill(path() / "secret", strong(text));
    std::filesystem::permissions(path() / "secret", std::filesystem::perms(0600));
  }
  void renew_certificate() const {
    link::cert_store::open(path() / "certs", now_by_the_clock()).renew(now_by_the_clock());
  }

  net::executor where;
  wall_time now = now_by_the_clock();
  net::file_worker files;
  link::cert_store certificates = link::cert_store::open(path() / "certs", now);
  keyring keys{where, files, {{secret_text(strong("old"))}, path() / "secret"}, true, 4};
  service_manager manager;
  int contexts = 0;
  std::vector<link::shared_keys> given;
  reloader again{where,
                 files,
                 certificates,
                 keys,
                 true,
                 {[this](const crypto::tls_context&) { ++contexts; },
                  [this](const link::shared_keys& next) { given.push_back(next); }},
                 manager,
                 [this] { return now; }};
};

} // namespace

BOOST_AUTO_TEST_SUITE(reloader_test)

BOOST_AUTO_TEST_CASE(what_has_changed_is_given_to_its_users) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    auto done = co_await on.again.reload();
    BOOST_TEST(done.trouble == "");
    BOOST_TEST(!done.report.certificate_changed);
    BOOST_TEST(!done.report.secrets_changed);
    BOOST_TEST(done.report.secrets == 1U);
    BOOST_TEST(done.report.secrets_from_file);
    BOOST_TEST((on.contexts == 0 && on.given.empty()));

    on.renew_certificate();
    on.write("new\nold\n");
    done = co_await on.again.reload();
    BOOST_TEST(done.report.certificate_changed);
    BOOST_TEST(done.report.secrets_changed);
    BOOST_TEST(done.report.secrets == 2U);
    BOOST_TEST(done.report.valid_until == gotunnel::describe(on.certificates.server_facts().not_after));
    BOOST_TEST(on.contexts == 1);
    BOOST_TEST_REQUIRE(on.given.size() == 1U);
    BOOST_TEST((on.given[0] == on.keys.keys()));
  });
}

BOOST_AUTO_TEST_CASE(all_of_it_or_nothing) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    const std::string leaf = on.certificates.server().certificate;
    on.renew_certificate();
    on.write("new\n\nold\n");
    auto done = co_await on.again.reload();
    BOOST_TEST(done.trouble.find("line 2 is empty") != std::string::npos, done.trouble);
    BOOST_TEST(on.certificates.server().certificate == leaf);

    on.write("new\nold\n");
    spill(on.path() / "certs/server.crt", "junk");
    done = co_await on.again.reload();
    BOOST_TEST(done.trouble.find("server.crt: is not a certificate") != std::string::npos, done.trouble);
    BOOST_TEST(on.certificates.server().certificate == leaf);
    BOOST_TEST(on.keys.keys()->all.size() == 1U);
    BOOST_TEST((on.contexts == 0 && on.given.empty()));
  });
}

BOOST_AUTO_TEST_CASE(who_asks_is_answered_with_the_report_or_the_trouble) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    on.write("new\n");
    std::string answer = co_await on.again.answer();
    BOOST_TEST(read_reload_report(answer).secrets_changed);
    on.write("");
    answer = co_await on.again.answer();
    BOOST_TEST(answer.starts_with("{\"error\":\"-secret-file "), answer);
    BOOST_TEST(answer.find("the file is empty; write the secret into it; everything stays as it was") !=
               std::string::npos);
    log.expect("app: reload: -secret-file");
  });
}

BOOST_AUTO_TEST_CASE(each_hangup_is_a_reload) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where);
    asio::signal_set hangups(where, SIGHUP);
    net::task_group tasks(where, "test");
    tasks.spawn("hangups", on.again.on_signals(hangups));
    for (const char* text : {"one\n", "two\n"}) {
      on.write(text);
      std::raise(SIGHUP);
      const std::size_t before = on.given.size();
      co_await until([&] { return on.given.size() > before; });
    }
    tasks.cancel();
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(the_clock_looks_after_certificates_only) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where);
    net::task_group tasks(where, "test");
    on.write("new\n");
    on.renew_certificate();
    tasks.spawn("certificates", on.again.watch(1ms));
    co_await until([&on] { return on.contexts == 1; });
    spill(on.path() / "certs/server.crt", "junk");
    co_await until([&log] { return log.take("server.crt: is not a certificate"); });
    co_await pause(10ms); // said once
    tasks.cancel();
    co_await tasks.join();
    BOOST_TEST(on.given.empty());
  });
}

BOOST_AUTO_TEST_CASE(a_lock_that_somebody_holds_puts_the_check_off) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where);
    on.renew_certificate();
    net::task_group tasks(where, "test");
    {
      const auto held = net::directory::open(on.path() / "certs");
      BOOST_TEST(held->lock(0ms).has_value());
      tasks.spawn("certificates", on.again.watch(1ms));
      co_await until([&log] { return log.take("another process holds its lock"); });
      co_await pause(10ms); // said once
      BOOST_TEST(on.contexts == 0);
    }
    co_await until([&on] { return on.contexts == 1; });
    tasks.cancel();
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(what_ends_is_said_once_a_day) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where);
    net::task_group tasks(where, "test");
    on.now += std::chrono::days(4000); // past the end of the CA
    tasks.spawn("certificates", on.again.watch(1ms));
    for (int day = 0; day < 2; ++day) {
      co_await until([&log] { return log.take("ca.crt: expired, so that clients refuse it,"); });
      log.expect("server.crt: expired, so that clients refuse it,");
      co_await pause(10ms);
      on.now += std::chrono::days(1);
    }
    tasks.cancel();
    co_await tasks.join();
    while (log.take("expired")) continue;
  });
}

BOOST_AUTO_TEST_SUITE_END()
