// `gotunnel server status`: what a running server has counted, for people and for programs.
#include "e2e/native_peer.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>

using namespace gotunnel::testing;

namespace {

run_outcome status(const scratch_directory& room, const words& more) {
  child_options options;
  options.arguments = {"server", "status"};
  options.arguments.insert(options.arguments.end(), more.begin(), more.end());
  options.directory = room.path().string();
  return run_program(options);
}

} // namespace

BOOST_AUTO_TEST_SUITE(status_of_a_server)

BOOST_AUTO_TEST_CASE(it_shows_what_happened) {
  const scratch_directory room;
  server_process server(room, {.more = {"-memory-limit", "512M"}});
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "one") == "one");
  native_identity guesser;
  guesser.secret = "a guess";
  BOOST_CHECK_THROW(const native_peer refused(server, guesser), std::runtime_error);
  BOOST_TEST(server.child().wait_for(output::err, "wrong secret", patience).has_value());

  const auto asked = status(room, {"-json"});
  BOOST_TEST(asked.code == 0);
  const auto json = boost::json::parse(asked.out).as_object();
  const auto& counted = json.at("counters").as_object();
  BOOST_TEST(counted.at("sessions").as_int64() == 1);
  BOOST_TEST(counted.at("sessions_total").as_int64() == 1);
  BOOST_TEST(counted.at("visitors_total").as_int64() == 1);
  BOOST_TEST(counted.at("proofs_failed").as_int64() == 1);
  BOOST_TEST(json.at("memory").as_object().at("limit").as_int64() == 512 * 1024 * 1024);
  BOOST_TEST(json.at("ports").as_array().at(0).as_object().at("port").as_int64() == client.public_port());
  BOOST_TEST(json.at("pid").as_int64() == server.child().pid());

  const auto shown = status(room, {});
  BOOST_TEST(shown.code == 0);
  BOOST_TEST(shown.out.find(std::to_string(client.public_port()) + "  127.0.0.1:") != std::string::npos,
             shown.out);
  BOOST_TEST(shown.out.find('\x1b') == std::string::npos);

  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(!std::filesystem::exists(room.path() / "certs/control.sock"));
  const auto nobody = status(room, {});
  BOOST_TEST(nobody.code == 2);
  BOOST_TEST(nobody.err.find("-certs \"certs\": no running server answers there") != std::string::npos,
             nobody.err);
}

BOOST_AUTO_TEST_CASE(a_killed_server_leaves_a_socket_that_the_next_one_replaces) {
  const scratch_directory room;
  {
    server_process killed(room);
    killed.child().signal(SIGKILL);
    BOOST_TEST(killed.child().wait(patience).has_value());
  }
  BOOST_TEST(std::filesystem::exists(room.path() / "certs/control.sock"));
  server_process server(room);
  BOOST_TEST(status(room, {"-json"}).code == 0);
}

BOOST_AUTO_TEST_CASE(without_a_socket_a_server_serves_all_the_same) {
  const scratch_directory room;
  std::filesystem::create_directories(room.path() / "certs");
  spill(room.path() / "certs/control.sock", "not a socket");
  server_process server(room);
  BOOST_TEST(server.child()
                 .wait_for(output::err, "something that is no socket has that name", patience)
                 .has_value());
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "one") == "one");
}

BOOST_AUTO_TEST_SUITE_END()
