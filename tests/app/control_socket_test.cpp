#include "gotunnel/app/control_socket.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/scratch_directory.hpp"

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <sys/stat.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

using local = asio::local::stream_protocol;

struct bench {
  bench(const net::executor& at, const std::filesystem::path& directory)
      : where(at), path(directory / control_socket_name), tasks(at, "test") {
    server.emplace(where, directory,
                   control_socket::request_table{
                       {"status", [this] { return R"({"n":)" + std::to_string(++asked) + "}"; }}});
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
    const control_socket far(where, room.path() / std::string(120, 'x'), {});
    BOOST_TEST(far.trouble().find("longer than the 107 bytes") != std::string::npos);
    const control_socket nowhere(where, room.path() / "missing", {});
    BOOST_TEST(nowhere.trouble().find("No such file") != std::string::npos);
  });
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
