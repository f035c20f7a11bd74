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

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

struct bench : scratch_directory {
  bench() { write("old\n"); }

  void write(std::string_view text) const {
    spill(path() / "secret", strong(text));
    std::filesystem::permissions(path() / "secret", std::filesystem::perms(0600));
  }
  void renew_certificate() const { link::cert_store::open(path() / "certs", now()).renew(now()); }

  link::cert_store certificates = link::cert_store::open(path() / "certs", now());
  keyring keys{{{secret_text(strong("old"))}, path() / "secret"}, true, 4};
  service_manager manager;
  int contexts = 0;
  std::vector<link::shared_keys> given;
  reloader again{certificates,
                 keys,
                 true,
                 {[this](const crypto::tls_context&) { ++contexts; },
                  [this](const link::shared_keys& next) { given.push_back(next); }},
                 manager};
};

} // namespace

BOOST_AUTO_TEST_SUITE(reloader_test)

BOOST_AUTO_TEST_CASE(what_has_changed_is_given_to_its_users) {
  log_capture log;
  bench on;
  reload_report report = on.again.reload();
  BOOST_TEST(!report.certificate_changed);
  BOOST_TEST(!report.secrets_changed);
  BOOST_TEST(report.secrets == 1U);
  BOOST_TEST(report.secrets_from_file);
  BOOST_TEST((on.contexts == 0 && on.given.empty()));

  on.renew_certificate();
  on.write("new\nold\n");
  report = on.again.reload();
  BOOST_TEST(report.certificate_changed);
  BOOST_TEST(report.secrets_changed);
  BOOST_TEST(report.secrets == 2U);
  BOOST_TEST(report.valid_until == gotunnel::describe(on.certificates.server_facts().not_after));
  BOOST_TEST(on.contexts == 1);
  BOOST_TEST_REQUIRE(on.given.size() == 1U);
  BOOST_TEST((on.given[0] == on.keys.keys()));
}

BOOST_AUTO_TEST_CASE(all_of_it_or_nothing) {
  log_capture log;
  bench on;
  const std::string leaf = on.certificates.server().certificate;
  on.renew_certificate();
  on.write("new\n\nold\n");
  BOOST_CHECK_THROW(on.again.reload(), usage_error);
  BOOST_TEST(on.certificates.server().certificate == leaf);

  on.write("new\nold\n");
  spill(on.path() / "certs/server.crt", "junk");
  BOOST_CHECK_THROW(on.again.reload(), link::cert_error);
  BOOST_TEST(on.certificates.server().certificate == leaf);
  BOOST_TEST(on.keys.keys()->all.size() == 1U);
  BOOST_TEST((on.contexts == 0 && on.given.empty()));
}

BOOST_AUTO_TEST_CASE(who_asks_is_answered_with_the_report_or_the_trouble) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on;
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
    bench on;
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
    bench on;
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

BOOST_AUTO_TEST_SUITE_END()
