#include "control.hpp"

#include "support/scratch_directory.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/test/unit_test.hpp>

namespace gotunnel::wan {
namespace {

/// A link between no interfaces: only its settings are asked.
struct idle_link {
  forwarder link{-1, -1, {.delay = 5ms}, 1};

  std::string obeys(std::string_view line) { return obey(link, line, time_point{1h}); }
  const link_settings& to_left() { return link.line(direction::to_left).settings(); }
  const link_settings& to_right() { return link.line(direction::to_right).settings(); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(wan_control, idle_link)

BOOST_AUTO_TEST_CASE(gates_count_for_both_directions_or_for_the_one_named) {
  BOOST_TEST(obeys("cut") == "ok\n");
  BOOST_TEST((to_left().mode == gate::cut));
  BOOST_TEST((to_right().mode == gate::cut));
  BOOST_TEST(obeys("freeze to-left") == "ok\n");
  BOOST_TEST((to_left().mode == gate::freeze));
  BOOST_TEST((to_right().mode == gate::cut));
  BOOST_TEST(obeys("drop to-right") == "ok\n");
  BOOST_TEST((to_right().mode == gate::drop));
  BOOST_TEST(obeys(" pass\r") == "ok\n");
  BOOST_TEST((to_left().mode == gate::pass));
  BOOST_TEST((to_right().mode == gate::pass));
}

BOOST_AUTO_TEST_CASE(settings_are_those_of_the_command_line) {
  BOOST_TEST(obeys("delay 200ms") == "ok\n");
  BOOST_TEST(obeys("rate 1mbit to-left") == "ok\n");
  BOOST_TEST(obeys("loss  50%\tto-right") == "ok\n");
  BOOST_TEST((to_left().delay == 200ms));
  BOOST_TEST((to_right().delay == 200ms));
  BOOST_TEST(to_left().rate == 1'000'000U);
  BOOST_TEST(to_right().rate == 0U);
  BOOST_TEST(to_left().loss == 0.0);
  BOOST_TEST(to_right().loss == 0.5);
}

BOOST_AUTO_TEST_CASE(bad_lines_are_answered_in_one_line_and_change_nothing) {
  for (const std::string line :
       {"", " ", "to-left", "cutt", "cut cut", "cut 5", "delay", "delay x", "delay 1ms 2ms", "delay 1ms up",
        "rate to-left", "stats now", "pass to-left to-right"}) {
    const std::string answer = obeys(line);
    BOOST_TEST(answer.starts_with("error: "), line << " got " << answer);
    BOOST_TEST(answer.find('\n') == answer.size() - 1);
  }
  BOOST_TEST(obeys(std::string(4096, 'x')).starts_with("error: "));
  BOOST_TEST((to_left().delay == 5ms));
  BOOST_TEST((to_right().delay == 5ms));
  BOOST_TEST((to_left().mode == gate::pass));
}

BOOST_AUTO_TEST_CASE(stats_have_a_line_for_each_direction) {
  BOOST_TEST(obeys("drop to-left") == "ok\n");
  link.line(direction::to_left).enter(packet(100), time_point{1h});
  const std::string left =
      "to-left entered 1 left 0 lost 0 late 0 overflow 0 gated 1 behind_us 0 most_behind_us 0\n";
  const std::string right =
      "to-right entered 0 left 0 lost 0 late 0 overflow 0 gated 0 behind_us 0 most_behind_us 0\n";
  BOOST_TEST(obeys("stats to-left") == left);
  BOOST_TEST(obeys("stats") == right + left);
}

BOOST_AUTO_TEST_CASE(the_socket_replaces_what_a_killed_process_left_and_nothing_else) {
  const gotunnel::testing::scratch_directory room;
  const std::string path = room.file("control");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  {
    const descriptor alive(::socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
    BOOST_REQUIRE(::bind(alive.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_CHECK_THROW(control_socket{path}, usage_error);
  }
  { const control_socket replaced(path); }
  BOOST_TEST(!std::filesystem::exists(path));

  gotunnel::testing::spill(path, "somebody's");
  BOOST_CHECK_THROW(control_socket{path}, usage_error);
  BOOST_TEST(gotunnel::testing::slurp(path) == "somebody's");
  BOOST_CHECK_THROW(control_socket(std::string(200, 'x')), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wan
