#include "gotunnel/app/banner.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::app;

namespace {

banner_facts facts() {
  return {"127.0.0.1:7000",
          "127.0.0.1",
          7000,
          "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
          "sha256:abc",
          secret_text("it's hush"),
          false};
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(banner_test)

BOOST_AUTO_TEST_CASE(elsewhere_than_on_a_terminal_the_secret_is_not_spelled_out) {
  const std::string text = banner(facts());
  BOOST_TEST(text.starts_with("gotunnel server is ready on 127.0.0.1:7000\n"));
  BOOST_TEST(holds(text, facts().ca_pem));
  BOOST_TEST(holds(text, "\npin: sha256:abc\n"));
  BOOST_TEST(holds(text, "(with GOTUNNEL_SECRET set to the secret):\n"
                         "gotunnel client -server 127.0.0.1:7000 -pin sha256:abc -remote-port 8080 "
                         "-local-target 127.0.0.1:80\n"));
  BOOST_TEST(!holds(text, "hush"));
}

BOOST_AUTO_TEST_CASE(on_a_terminal_the_command_works_when_pasted) {
  banner_facts on_terminal = facts();
  on_terminal.terminal = true;
  BOOST_TEST(holds(banner(on_terminal),
                   "\nGOTUNNEL_SECRET='it'\\''s hush' gotunnel client -server 127.0.0.1:7000 "));
}

BOOST_AUTO_TEST_CASE(the_command_names_an_address_that_a_client_can_dial) {
  banner_facts some = facts();
  for (const char* host : {"", "0.0.0.0", "::"}) {
    some.listen_host = host;
    BOOST_TEST(holds(banner(some), " -server " + likely_public_host() + ":7000 "));
  }
  some.listen_host = "::1";
  BOOST_TEST(holds(banner(some), " -server [::1]:7000 "));
  some.listen_host = "tunnel.example.org";
  BOOST_TEST(holds(banner(some), " -server tunnel.example.org:7000 "));
}

BOOST_AUTO_TEST_CASE(text_is_quoted_for_a_shell) {
  BOOST_TEST(shell_quoted("") == "''");
  BOOST_TEST(shell_quoted("a b$c`d\"e\\") == "'a b$c`d\"e\\'");
  BOOST_TEST(shell_quoted("'") == "''\\'''");
}

BOOST_AUTO_TEST_SUITE_END()
