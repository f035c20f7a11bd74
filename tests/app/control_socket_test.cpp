#include "gotunnel/app/control_socket.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/scratch_directory.hpp"

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <stdexcept>
#include <thread>

#include <sys/stat.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

using local = asio::local::stream_protocol;

struct bench {
  bench(const net::executor& at, const std::filesystem::path& directory)
      : where(at), path(directory / control_socket_name), tasks(at, "test"), may_finish(at) {
    const auto count = [this]() -> asio::awaitable<std::string> {
      co_return R"({"n":)" + std::to_string(++asked) + "}";
    };
    const auto slow = [this]() -> asio::awaitable<std::string> {
      while (!finished) co_await may_finish.wait();
      co_return "{}";
    };
    const auto broken = []() -> asio::awaitable<std::string> {
      throw std::runtime_error("no such luck");
      co_return "";
    };
    server.emplace(
        where, directory,
        control_socket::request_table{
            {"status", {count}}, {"slow", {slow, 30s}}, {"too slow", {slow, 10ms}}, {"broken", {broken}}});
    tasks.spawn("serve", server->serve());
  }
  asio::awaitable<local::socket> connect() const {
    local::socket socket(where);
    auto [ec] = co_await socket.async_connect(local::endpoint(path.string()), net::token);
    BOOST_TEST(!ec);
    co_return socket;
  }
  /// What is answered until the end.
  asio::awaitable<std::string> say(std::string line) {
    auto socket = co_await connect();
    [[maybe_unused]] const auto written = co_await asio::async_write(socket, asio::buffer(line), net::token);
    std::string answer;
    for (std::array<char, 1000> piece{};;) {
      auto [ec, count] = co_await socket.async_read_some(asio::buffer(piece), net::token);
      if (ec) co_return answer;
      answer.append(piece.data(), count);
    }
  }
  asio::awaitable<void> keep(std::string line, std::string& answer) { answer = co_await say(line); }
  void finish_slow() {
    finished = true;
    may_finish.notify();
  }
  asio::awaitable<void> finish() {
    tasks.cancel();
    co_await tasks.join();
    server.reset();
    BOOST_TEST(!std::filesystem::exists(path));
  }

  net::executor where;
  std::filesystem::path path;
  net::task_group tasks;
  std::optional<control_socket> server;
  int asked = 0;
  net::signal may_finish;
  bool finished = false;
};

} // namespace

BOOST_AUTO_TEST_SUITE(control_socket_test)

BOOST_AUTO_TEST_CASE(a_line_is_answered_with_a_line) {
  const scratch_directory room;
  run([&room](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, room.path());
    BOOST_TEST(on.server->trouble() == "");
    struct ::stat status {};
    BOOST_TEST(::stat(on.path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600U);
    std::string answer = co_await on.say("status\n");
    BOOST_TEST(answer == "{\"n\":1}\n");
    answer = co_await on.say("status\r\nand more\n");
    BOOST_TEST(answer == "{\"n\":2}\n");
    answer = co_await on.say("fly\n");
    BOOST_TEST(answer == "{\"error\":\"unknown request \\\"fly\\\"\"}\n");
    answer = co_await on.say(std::string(300, 'x'));
    BOOST_TEST(answer == "");
    BOOST_TEST(on.asked == 2);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_request_has_a_limit_of_its_own) {
  const scratch_directory room;
  run([&room](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, room.path());
    std::string answer = co_await on.say("too slow\n");
    BOOST_TEST(answer == "{\"error\":\"\\\"too slow\\\" was not done within 0 s\"}\n");
    answer = co_await on.say("broken\n");
    BOOST_TEST(answer == "{\"error\":\"\\\"broken\\\" failed; the server's log says why\"}\n");
    log.expect("broken failed: no such luck");

    // Others are answered meanwhile.
    std::string late;
    net::task_group askers(on.where, "test");
    askers.spawn("slow", on.keep("slow\n", late));
    co_await yield(20);
    answer = co_await on.say("status\n");
    BOOST_TEST(answer == "{\"n\":1}\n");
    BOOST_TEST(late == "");
    on.finish_slow();
    co_await askers.join();
    BOOST_TEST(late == "{}\n");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(what_is_cancelled_takes_its_conversations_along) {
  const scratch_directory room;
  run([&room](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, room.path());
    std::string late = "nothing yet";
    net::task_group askers(on.where, "test");
    askers.spawn("slow", on.keep("slow\n", late));
    co_await yield(20);
    co_await on.finish();
    co_await askers.join();
    BOOST_TEST(late == "");
  });
}

BOOST_AUTO_TEST_CASE(closed_it_gives_its_path_up_and_still_answers_whom_it_listens_to) {
  const scratch_directory room;
  run([&room](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, room.path());
    std::string late;
    net::task_group askers(on.where, "test");
    askers.spawn("slow", on.keep("slow\n", late));
    co_await yield(20);
    on.server->close();
    BOOST_TEST(!std::filesystem::exists(on.path));
    bench next(on.where, room.path());
    BOOST_TEST(next.server->trouble() == "");
    const std::string answer = co_await next.say("status\n");
    BOOST_TEST(answer == "{\"n\":1}\n");
    BOOST_TEST(late == "");
    on.finish_slow();
    co_await askers.join();
    BOOST_TEST(late == "{}\n");
    co_await on.tasks.join(); // by itself
    on.server.reset();
    BOOST_TEST(std::filesystem::exists(on.path)); // the next one's
    co_await next.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_socket_that_is_not_ours_any_more_stays) {
  const scratch_directory room;
  run([&room](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto path = room.path() / control_socket_name;
    std::optional<control_socket> ours(std::in_place, where, room.path(), control_socket::request_table{});
    std::filesystem::rename(path, room.path() / "away"); // so that its number is not given to the next
    const local::acceptor theirs(where, local::endpoint(path.string()));
    ours.reset();
    BOOST_TEST(std::filesystem::exists(path));
  });
}

BOOST_AUTO_TEST_CASE(only_so_many_are_listened_to_at_once) {
  const scratch_directory room;
  run([&room](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, room.path());
    std::vector<local::socket> silent;
    for (int i = 0; i < 8; ++i) {
      auto next = co_await on.connect();
      silent.push_back(std::move(next));
      co_await yield(20);
    }
    std::string answer = co_await on.say("status\n");
    BOOST_TEST(answer == "");
    silent.clear();
    co_await yield(50);
    answer = co_await on.say("status\n");
    BOOST_TEST(answer == "{\"n\":1}\n");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_stale_socket_is_replaced_and_nothing_else) {
  const scratch_directory room;
  run([&room](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto path = room.path() / control_socket_name;
    { local::acceptor dead(where, local::endpoint(path.string())); }
    BOOST_TEST(std::filesystem::exists(path));
    bench on(where, room.path());
    BOOST_TEST(on.server->trouble() == "");
    {
      const control_socket second(where, room.path(), {});
      BOOST_TEST(second.trouble().find("another server has this directory") != std::string::npos);
    }
    const std::string answer = co_await on.say("status\n"); // the second one has not taken it along
    BOOST_TEST(answer == "{\"n\":1}\n");
    co_await on.finish();

    spill(path, "a file");
    const control_socket blocked(where, room.path(), {});
    BOOST_TEST(blocked.trouble().find("something that is no socket") != std::string::npos);
    std::filesystem::remove(path);
    std::filesystem::create_symlink("elsewhere", path);
    const control_socket led_astray(where, room.path(), {});
    BOOST_TEST(led_astray.trouble().find("something that is no socket") != std::string::npos);
    BOOST_TEST(std::filesystem::is_symlink(path));
    const control_socket nowhere(where, room.path() / "missing", {});
    BOOST_TEST(nowhere.trouble().find("No such file") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(a_directory_may_have_a_longer_path_than_a_socket) {
  const scratch_directory room;
  const auto far = room.path() / std::string(200, 'x');
  std::filesystem::create_directory(far);
  std::string answer;
  std::thread asker; // another process, in truth
  run([&](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where, far);
    BOOST_TEST(on.server->trouble() == "");
    bool answered = false;
    asker = std::thread([&] {
      answer = ask_server(far, "status");
      asio::post(where, [&] { answered = true; });
    });
    co_await until([&] { return answered; });
    co_await on.finish();
  });
  asker.join();
  BOOST_TEST(answer == "{\"n\":1}");
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_an_error_is_thrown) {
  BOOST_CHECK_EXCEPTION(refuse_error("{\"error\":\"no \\\"such\\\" luck\"}"), std::runtime_error,
                        [](const std::exception& e) { return std::string(e.what()) == "no \"such\" luck"; });
  for (const char* answer : {"", "{}", "[\"error\"]", "{\"error\":1}", "{\"n\":1}"}) refuse_error(answer);
}

BOOST_AUTO_TEST_CASE(nobody_there_is_one_sentence) {
  const scratch_directory room;
  try {
    static_cast<void>(ask_server(room.path(), "status"));
    BOOST_ERROR("answered");
  } catch (const usage_error& e) {
    BOOST_TEST(std::string(e.what()).find("no running server answers there: No such file") !=
               std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
