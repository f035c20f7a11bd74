#include "e2e/refusal.hpp"
#include "support/unknown_name.hpp"

using namespace gotunnel::testing;

namespace {

const std::string secret_remedy =
    "write one into a file (`openssl rand -hex 24 > secret`) and give -secret-file secret, "
    "or set GOTUNNEL_SECRET, or give -secret";

/// A room with what wrong options may name: a good secret, and files that are no certificates.
struct room_with_files : scratch_directory {
  room_with_files() {
    spill(path() / "secret", test_secret + "\n");
    std::filesystem::permissions(path() / "secret", std::filesystem::perms(0600));
    spill(path() / "empty", "");
    spill(path() / "newline", "\n");
    spill(path() / "lines", "one\ntwo\nthree\nfour\nfive\n");
    spill(path() / "gap", "one\n\ntwo\n");
    spill(path() / "long", std::string(5000, 'x'));
  }

  void refuse(const std::string& command, const words& options, const std::string& line) const {
    words arguments{command, "-secret-file", "secret"};
    if (command == "client")
      arguments.insert(arguments.end(), {"-server", "127.0.0.1:1", "-state-dir", "state"});
    if (command == "pki") arguments = {"pki"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    check_refusal(*this, {arguments, line});
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(wrong_options, room_with_files)

BOOST_AUTO_TEST_CASE(a_secret_must_be_given_and_must_not_be_empty) {
  for (const char* command : {"server", "client"}) {
    const words start =
        command == std::string("server") ? words{"server"} : words{"client", "-server", "127.0.0.1:1"};
    const auto refuse_secret = [&](const words& more, const std::string& line, bool in_environment = false) {
      refusal_case one{start, line};
      one.arguments.insert(one.arguments.end(), more.begin(), more.end());
      if (in_environment) one.environment = {{"GOTUNNEL_SECRET", ""}};
      check_refusal(*this, one);
    };
    refuse_secret({}, "no secret; " + secret_remedy);
    refuse_secret({"-secret", ""}, "-secret \"\": the secret is empty; give a long random text");
    refuse_secret({"-secret="}, "-secret \"\": the secret is empty; give a long random text");
    refuse_secret({"-secret-file", "empty"},
                  "-secret-file \"empty\": the file is empty; write the secret into it");
    refuse_secret({"-secret-file", "newline"},
                  "-secret-file \"newline\": the file is empty; write the secret into it");
    refuse_secret(
        {}, "GOTUNNEL_SECRET \"\": the secret is empty; set it to a long random text, or use -secret-file",
        true);
    refuse_secret({"-secret-file", "nowhere"},
                  "-secret-file \"nowhere\": cannot read: No such file or directory; write the "
                  "secret into that file, or name another");
    refuse_secret({"-secret-file", "."},
                  "-secret-file \".\": cannot read: Is a directory; write the secret into that file, "
                  "or name another");
    refuse_secret({"-secret-file", "long"},
                  "-secret-file \"long\": longer than 4096 bytes; a secret is one short line");
    refuse_secret({"-secret-file", "lines"},
                  "-secret-file \"lines\": more than 4 lines; a server takes 4 secrets at once, one a line");
    refuse_secret({"-secret-file", "gap"},
                  "-secret-file \"gap\": line 2 is empty; write one secret a line, and nothing else");
    refuse_secret({"-secret", "a", "-secret-file", "secret"},
                  "-secret and -secret-file are both given; keep one of them");
  }
}

BOOST_AUTO_TEST_CASE(commands_and_options_that_are_not_known_name_the_nearest) {
  const std::vector<refusal_case> cases{
      {{"serve"}, "unknown command \"serve\"; did you mean `gotunnel server`?"},
      {{"clinet"}, "unknown command \"clinet\"; did you mean `gotunnel client`?"},
      {{"--verson"}, "unknown command \"--verson\"; did you mean `gotunnel version`?"},
      {{"frobnicate"}, "unknown command \"frobnicate\"; see `gotunnel --help`"},
      {{""}, "unknown command \"\"; see `gotunnel --help`"},
      {{"version", "now"}, "unexpected argument \"now\"; `gotunnel version` takes none"},
      {{"help", "me"}, "no help about \"me\"; there is help about server, client and pki"},
      {{"pki", "shwo"}, "unknown command \"pki shwo\"; did you mean `gotunnel pki show`?"},
      {{"pki", "revoke-all"},
       "unknown command \"pki revoke-all\"; there are `gotunnel pki show` and `gotunnel pki renew`"},
      {{"pki", "show", "-cert", "x"}, "unknown option -cert; did you mean -certs?"},
      {{"pki", "show", "here"},
       "unexpected argument \"here\"; `gotunnel pki` takes options only: see `gotunnel pki --help`"},
      {{"pki", "show", "-certs", "nowhere"},
       "-certs \"nowhere\": no ca.crt there; name the server's directory, or start `gotunnel server` to make "
       "one"},
      {{"pki", "renew"},
       "-certs \"certs\": no ca.crt there; name the server's directory, or start `gotunnel server` to make "
       "one"},
      {{"server", "-lisen", "7000"}, "unknown option -lisen; did you mean -listen?"},
      {{"server", "--lisen=7000"}, "unknown option -lisen; did you mean -listen?"},
      {{"server", "-Listen", "7000"}, "unknown option -Listen; did you mean -listen?"},
      {{"client", "-remoteport", "1"}, "unknown option -remoteport; did you mean -remote-port?"},
      {{"client", "-frobnicate"}, "unknown option -frobnicate; see `gotunnel client --help`"},
      {{"server", "-listen"}, "-listen needs a value, -listen ADDR; see `gotunnel server --help`"},
      {{"server", "7000"},
       "unexpected argument \"7000\"; `gotunnel server` takes options only: see `gotunnel server --help`"},
      {{"server", "-"},
       "unexpected argument \"-\"; `gotunnel server` takes options only: see `gotunnel server --help`"},
      {{"server", "--"},
       "unexpected argument \"--\"; `gotunnel server` takes options only: see `gotunnel server --help`"},
      {{"server", "---listen"},
       "unexpected argument \"---listen\"; `gotunnel server` takes options only: see `gotunnel server "
       "--help`"},
      {{"server", "-=1"},
       "unexpected argument \"-=1\"; `gotunnel server` takes options only: see `gotunnel server --help`"},
      // A message of two lines is a forged one.
      {{"server", "a\nb\x1b[2J"},
       "unexpected argument \"a\\x0ab\\x1b[2J\"; `gotunnel server` takes options only: see `gotunnel server "
       "--help`"},
  };
  for (const refusal_case& one : cases) check_refusal(*this, one);
}

BOOST_AUTO_TEST_CASE(addresses_to_listen_on) {
  const std::string number = ": a port is a number from 0 to 65535";
  for (const char* text : {"65536", "-1", "abc", "", " 7000", "7000x", "99999999999999999999", "localhost"})
    refuse("server", {"-listen", text}, "-listen \"" + std::string(text) + "\"" + number);

  const std::string example = "; for example -listen 7000 or 127.0.0.1:7000";
  const std::vector<std::pair<std::string, std::string>> cases{
      {":65536", "port \"65536\" is not a number from 0 to 65535"},
      {":-1", "port \"-1\" is not a number from 0 to 65535"},
      {"127.0.0.1:abc", "port \"abc\" is not a number from 0 to 65535"},
      {"127.0.0.1:", "the port is missing"},
      {"1.2.3:7000", "\"1.2.3\" is not an IPv4 address"},
      {"::1:7000", "an IPv6 address needs brackets: write [address]:port"},
      {"[::1]", "the port is missing: write [address]:port"},
      {"[::1:7000", "the closing bracket is missing"},
      {"a b:7000", "\"a b\" holds a character that no host name has"},
      {"bücher.example:7000", "\"bücher.example\" holds characters outside ASCII; give the name's ASCII form "
                              "(xn--...), which the program idn2 prints"},
  };
  for (const auto& [text, why] : cases)
    refuse("server", {"-listen", text}, "-listen \"" + text + "\": " + why + example);

  // TEST-NET-3 (RFC 5737) is nobody's.
  const std::string no_such = ": this machine has no such address; give one of its own, or none for all";
  refuse("server", {"-listen", "203.0.113.77:0"}, "-listen \"203.0.113.77:0\"" + no_such);
  refuse("server", {"-listen", "127.0.0.1:0", "-bind", "203.0.113.77"}, "-bind \"203.0.113.77\"" + no_such);
  const std::string unknown =
      "\": " + trouble_with_unknown_name() + "; give an address of this machine, or none for all";
  refuse("server", {"-listen", unknown_name + ":0"}, "-listen \"" + unknown_name + ":0" + unknown);
  refuse("server", {"-listen", "127.0.0.1:0", "-bind", unknown_name}, "-bind \"" + unknown_name + unknown);
  for (const char* text : {"127.0.0.1:80", "a b", "1.2.3", "[::1", "::g"})
    refuse(
        "server", {"-listen", "127.0.0.1:0", "-bind", text},
        "-bind \"" + std::string(text) +
            "\": not an address or name of this machine; give one without a port, like 127.0.0.1 or ::1, and "
            "a name in ASCII (xn--...)");
}

BOOST_AUTO_TEST_CASE(an_address_in_use) {
  const loopback_listener other;
  const std::string address = "127.0.0.1:" + std::to_string(other.port());
  refuse("server", {"-listen", address},
         "-listen \"" + address + "\": the address is in use; stop what uses it, or choose another port");
}

BOOST_AUTO_TEST_CASE(the_other_options_of_a_server) {
  const std::string duration = ": not a duration; write it like 500ms, 10s or 1m30s";
  for (const char* text : {"5", "abc", "-5s", "", "1e3s", "10 s", "s", "1m30"})
    refuse("server", {"-grace", text}, "-grace \"" + std::string(text) + "\"" + duration);
  for (const char* text : {"abc", "-1", "257", "1.5", ""})
    refuse("server", {"-workers", text},
           "-workers \"" + std::string(text) + "\": the count of threads is a number from 0 to 256");

  const std::string example = "; for example -allow-ports 1024-65535,80,443";
  const std::vector<std::pair<std::string, std::string>> ports{
      {"abc", "port \"abc\" is not a number from 0 to 65535"},
      {"70000", "port \"70000\" is not a number from 0 to 65535"},
      {"9-5", "the range \"9-5\" ends before it begins"},
      {"0", "port 0 is not a port that can be published"},
      {"", "the port is missing"},
      {"80,,443", "the port is missing"},
      {"1-2-3", "port \"2-3\" is not a number from 0 to 65535"},
      {"80, 443", "port \" 443\" is not a number from 0 to 65535"},
  };
  for (const auto& [text, why] : ports)
    refuse("server", {"-allow-ports", text}, "-allow-ports \"" + text + "\": " + why + example);

  for (const char* option : {"-allow-clients", "-allow-visitors"}) {
    const auto refuse_networks = [&](const std::string& text, const std::string& why) {
      refuse("server", {option, text},
             std::string(option) + " \"" + text + "\": " + why + "; for example " + option +
                 " 192.0.2.0/24,2001:db8::/32");
    };
    refuse_networks("", "an empty item; write networks with commas between them");
    refuse_networks("localhost", "\"localhost\" is not an IP address");
    refuse_networks("10.0.0.0/40", "\"40\" in \"10.0.0.0/40\" is not a prefix length from 0 to 32");
    refuse_networks("10.0.0.7/8", "\"10.0.0.7/8\" has bits behind its prefix; write 10.0.0.0/8 for the "
                                  "network, or 10.0.0.7 for the address");
  }
  for (const char* text : {"", "much", "-1", "5 M"})
    refuse("server", {"-memory-limit", text},
           "-memory-limit \"" + std::string(text) +
               "\": not a size; write it like 512M or 2G, or 0 for no limit");
  refuse("server", {"-sandbox", "maybe"}, "-sandbox \"maybe\": choose on, off or auto");
  refuse("server", {"-user", ""}, "-user \"\": no name; for example -user gotunnel");
  refuse("server", {"-listen", "127.0.0.1:0", "-user", "nobody-has-this-name"},
         "-user \"nobody-has-this-name\": there is no such user; make one with `useradd --system`, or leave "
         "it out");
  refuse("server", {"-memory-limit", "1M"}, "-memory-limit \"1M\": too small; the least is 16M");
  refuse("server", {"-cert-check", "1ms"}, "-cert-check \"1ms\": too short; the least is 10ms");
  refuse("server", {"-certs", ""}, "-certs \"\": no directory; for example -certs certs");
  refuse("server", {"-seed-peers", "maybe"}, "-seed-peers \"maybe\": choose on or off");
  refuse("server", {"-keepalive", "1s"}, "-keepalive \"1s\": too short; the least is 4s");
  refuse("client", {"-keepalive", "11m"}, "-keepalive \"11m\": too long; the most is 10m");
  refuse("server", {"-seed-peers", "auto"}, "-seed-peers \"auto\": choose on or off");
  refuse("client", {"-seed-peers", "maybe"}, "-seed-peers \"maybe\": choose on, off or auto");
  refuse("server", {"-log-level", "loud"},
         "-log-level \"loud\": not a level; choose trace, debug, info, warn or error");
  refuse("server", {"-log-format", "xml"}, "-log-format \"xml\": choose text or json");
}

BOOST_AUTO_TEST_CASE(the_addresses_and_ports_of_a_client) {
  check_refusal(*this,
                {{"client", "-secret-file", "secret"},
                 "no server; give its address with -server HOST:PORT, for example -server 203.0.113.5:7000"});
  const std::vector<std::pair<std::string, std::string>> cases{
      {"203.0.113.5", "the port is missing: write host:port"},
      {"7000", "the port is missing: write host:port"},
      {"", "the port is missing: write host:port"},
      {":7000", "the host is missing"},
      {"a:0", "port 0 cannot be connected to"},
      {"a:65536", "port \"65536\" is not a number from 0 to 65535"},
      {"a:-1", "port \"-1\" is not a number from 0 to 65535"},
      {"a:abc", "port \"abc\" is not a number from 0 to 65535"},
      {"::1:7000", "an IPv6 address needs brackets: write [address]:port"},
      {"1.2.3:7000", "\"1.2.3\" is not an IPv4 address"},
      {"bücher.example:7000", "\"bücher.example\" holds characters outside ASCII; give the name's ASCII form "
                              "(xn--...), which the program idn2 prints"},
  };
  for (const auto& [text, why] : cases) {
    refuse("client", {"-server", text},
           "-server \"" + text + "\": " + why + "; for example -server 203.0.113.5:7000");
    refuse("client", {"-local-target", text},
           "-local-target \"" + text + "\": " + why + "; for example -local-target 127.0.0.1:80");
  }
  refuse("client", {"-server", "https://a:1"},
         "-server \"https://a:1\": a URL; give host and port only, for example -server 203.0.113.5:7000");
  refuse("client", {"-local-target", "http://127.0.0.1:80/"},
         "-local-target \"http://127.0.0.1:80/\": a URL; give host and port only, for example -local-target "
         "127.0.0.1:80");
  refuse("client", {"-local-target", "unix:"},
         "-local-target \"unix:\": the path is missing after unix:; for example -local-target 127.0.0.1:80");
  const std::string far(120, 'x');
  refuse("client", {"-local-target", "unix:/" + far},
         "-local-target \"unix:/" + far +
             "\": the path is longer than 107 bytes, the limit of the system; for example "
             "-local-target 127.0.0.1:80");
  for (const char* text : {"65536", "-1", "abc", "", "1.5"})
    refuse("client", {"-remote-port", text},
           "-remote-port \"" + std::string(text) + "\": a port is a number from 0 to 65535");
}

BOOST_AUTO_TEST_CASE(the_other_options_of_a_client) {
  for (const char* text : {"0", "17", "-1", "two", ""})
    refuse("client", {"-carriers", text},
           "-carriers \"" + std::string(text) + "\": the count of carriers is a number from 1 to 16");
  refuse("client", {"-max-retry-interval", "soon"},
         "-max-retry-interval \"soon\": not a duration; write it like 500ms, 10s or 1m30s");
  refuse("client", {"-max-retry-interval", "0"}, "-max-retry-interval \"0\": too short; the least is 10ms");
  refuse("client", {"-no-retry=maybe"},
         "-no-retry \"maybe\": this is a switch; give -no-retry or -no-retry=false");
  refuse("client", {"-no-retry", "maybe"},
         "unexpected argument \"maybe\"; `gotunnel client` takes options only: see `gotunnel client --help`");
  const std::string pin = "not a pin; copy it from the server's banner or from `gotunnel pki show`: sha256: "
                          "and 64 hexadecimal digits";
  for (const std::string& text : {std::string("abc"), std::string(), "sha256:" + std::string(63, 'a'),
                                  "sha256:" + std::string(64, 'g'), "sha1:" + std::string(64, 'a')})
    refuse("client", {"-pin", text}, "-pin \"" + text + "\": " + pin);
  refuse("client", {"-pin", "sha256:" + std::string(64, 'a'), "-ca", "ca.crt"},
         "-ca and -pin are both given; keep one of them");
}

BOOST_AUTO_TEST_SUITE_END()
