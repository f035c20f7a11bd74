// The sandbox holds for the rest of a process's life, so it is tried by a program of its own (forbidden.cpp).
#include "gotunnel/app/sandbox.hpp"

#include "support/child_process.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

using namespace gotunnel::app;
using namespace gotunnel::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(sandbox_test)

BOOST_AUTO_TEST_CASE(modes_have_names) {
  BOOST_CHECK(parse_sandbox_mode("on") == sandbox_mode::on);
  BOOST_CHECK(parse_sandbox_mode("off") == sandbox_mode::off);
  BOOST_CHECK(parse_sandbox_mode("auto") == sandbox_mode::automatic);
  BOOST_CHECK(!parse_sandbox_mode("yes").has_value());
}

BOOST_AUTO_TEST_CASE(what_is_forbidden_fails_and_the_rest_does_not) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  BOOST_TEST_MESSAGE("skipped: a sanitizer looks into the process from outside");
#else
  const scratch_directory room;
  std::filesystem::create_directory(room.path() / "own");
  std::filesystem::create_directory(room.path() / "beside");
  spill(room.path() / "beside/secret", "sesame");
  spill(room.path() / "beside/next", "barley");
  spill(room.path() / "other", "not for everybody");
  child_process tried(GOTUNNEL_FORBIDDEN, {.arguments = {room.path().string()}});
  const auto ended = tried.wait(20s);
  BOOST_TEST_REQUIRE(ended.has_value());
  const std::string said = tried.captured(output::err);
  if (said.find("this kernel has no ") != std::string::npos) {
    BOOST_TEST_MESSAGE("skipped: " << said);
    return;
  }
  BOOST_TEST(ended->code == 0, said);
  BOOST_TEST(said.starts_with("sandbox: Landlock "), said);
#endif
}

BOOST_AUTO_TEST_SUITE_END()
