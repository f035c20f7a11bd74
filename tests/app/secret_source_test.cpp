#include "gotunnel/app/secret_source.hpp"

#include "gotunnel/app/config.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "support/environment.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::app;

namespace {

struct room : testing::scratch_directory {
  std::vector<std::string> warnings;

  std::string read(const std::vector<std::string>& arguments) { return joined(source(arguments).all); }
  /// As main() does it.
  app::secret_source source(std::vector<std::string> arguments) {
    warnings.clear();
    const typed_secrets typed = take(arguments);
    return read_secrets(server_options().parse(arguments), typed, warnings);
  }
  static typed_secrets take(std::vector<std::string>& arguments) {
    std::string program = "gotunnel";
    std::vector<char*> pointers{program.data()};
    for (std::string& each : arguments) pointers.push_back(each.data());
    pointers.push_back(nullptr);
    return take_typed_secrets(static_cast<int>(arguments.size()) + 1, pointers.data());
  }
  static std::string joined(const std::vector<secret_text>& secrets) {
    std::string text;
    for (const secret_text& each : secrets) text += (text.empty() ? "" : "|") + std::string(each.reveal());
    return text;
  }
  std::string read_file(std::string_view content,
                        std::filesystem::perms mode = std::filesystem::perms(0600)) {
    testing::spill(path() / "secret", content);
    std::filesystem::permissions(path() / "secret", mode);
    return read({"-secret-file", file("secret")});
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(secret_source, room)

BOOST_AUTO_TEST_CASE(options_come_before_the_environment) {
  const testing::variable set("GOTUNNEL_SECRET", "from environment");
  BOOST_TEST(read({"-secret", "from option"}) == "from option");
  const testing::variable again("GOTUNNEL_SECRET", "from environment");
  BOOST_TEST(read({}) == "from environment");
  testing::spill(path() / "secret", "from file\n");
  BOOST_TEST(read({"-secret-file", file("secret")}) == "from file");
  BOOST_CHECK_THROW(read({"-secret", "a", "-secret-file", file("secret")}), usage_error);
}

BOOST_AUTO_TEST_CASE(one_line_end_of_a_file_is_dropped) {
  const testing::variable unset("GOTUNNEL_SECRET", std::nullopt);
  BOOST_TEST(read_file("abc") == "abc");
  BOOST_TEST(read_file("abc\n") == "abc");
  BOOST_TEST(read_file("abc\r\n") == "abc");
  BOOST_TEST(read_file(" a b ") == " a b ");
  BOOST_TEST(read_file(std::string(4096, 'x')).size() == 4096U);
  BOOST_TEST(read_file(std::string(4095, 'x') + "\n").size() == 4095U);
}

BOOST_AUTO_TEST_CASE(the_three_sources_give_the_same_secret_and_the_same_warnings) {
  const std::string good = "0a93f1b7c25e84d6aa17f3905be2c8d4";
  for (const std::string begin : {"", " ", "\xef\xbb\xbf"})
    for (const std::string end : {"", "\n", "\r\n", " ", " \n"}) {
      const std::string text = begin + good + end;
      const testing::variable set("GOTUNNEL_SECRET", text);
      const std::string from_environment = read({});
      const auto of_environment = warnings.size();
      BOOST_TEST(from_environment == begin + good + (end.starts_with(' ') ? " " : ""));
      BOOST_TEST(read({"-secret", text}) == from_environment);
      BOOST_TEST(warnings.size() == of_environment);
      BOOST_TEST(read_file(text) == from_environment);
      BOOST_TEST(warnings.size() == of_environment);
      const std::size_t expected =
          (begin == "\xef\xbb\xbf" ? 1U : 0U) + (begin == " " || end.starts_with(' ') ? 1U : 0U);
      BOOST_TEST(of_environment == expected);
    }
  for (const char* nothing : {"\n", "\r\n"}) {
    const testing::variable set("GOTUNNEL_SECRET", nothing);
    BOOST_CHECK_THROW(read({}), usage_error);
    BOOST_CHECK_THROW(read({"-secret", nothing}), usage_error);
    BOOST_CHECK_THROW(read_file(nothing), usage_error);
  }
  const std::string too_long(4097, 'x');
  const testing::variable set("GOTUNNEL_SECRET", too_long);
  BOOST_CHECK_THROW(read({}), usage_error);
  BOOST_CHECK_THROW(read({"-secret", too_long}), usage_error);
}

BOOST_AUTO_TEST_CASE(a_weak_secret_is_warned_of_and_named_by_its_source) {
  const testing::variable set("GOTUNNEL_SECRET", "changeme");
  BOOST_TEST(read({}) == "changeme");
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings.front().starts_with("GOTUNNEL_SECRET: the secret has fewer than 16 characters"));
  BOOST_TEST(warnings.front().find("changeme") == std::string::npos);
  static_cast<void>(read({"-secret", "password-password"}));
  BOOST_TEST(warnings.front().starts_with("-secret: the secret is made of common words"));
  static_cast<void>(read_file("0a93f1b7c25e84d6aa17f3905be2c8d4\nold\n"));
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings.front().starts_with("-secret-file \"" + file("secret") + "\": the secret has fewer"));
}

BOOST_AUTO_TEST_CASE(a_file_holds_up_to_four_secrets) {
  const testing::variable unset("GOTUNNEL_SECRET", std::nullopt);
  BOOST_TEST(read_file("new\nold\n") == "new|old");
  BOOST_TEST(read_file("new\r\n o l d \r\n3\n4") == "new| o l d |3|4");
  const std::string longest(4096, 'x');
  BOOST_TEST(read_file(longest + "\r\n" + longest + "\r\n" + longest + "\r\n" + longest + "\r\n").size() ==
             4U * 4096 + 3);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_file_names_the_line_and_no_secret) {
  const testing::variable unset("GOTUNNEL_SECRET", std::nullopt);
  const std::vector<std::pair<std::string, std::string>> cases{
      {"sesame\n\nbarley\n", "line 2 is empty; write one secret a line, and nothing else"},
      {"1\n2\n3\n4\n5\n", "more than 4 lines; a server takes 4 secrets at once, one a line"},
      {std::string("sesame\nbar\0ley", 14), "line 2 holds a zero byte; a secret is one short line of text"}};
  for (const auto& [content, why] : cases) {
    try {
      read_file(content);
      BOOST_ERROR("accepted");
    } catch (const usage_error& e) {
      BOOST_TEST(e.what() == "-secret-file \"" + file("secret") + "\": " + why);
    }
  }
}

BOOST_AUTO_TEST_CASE(only_a_regular_file_is_read_again) {
  testing::spill(path() / "secret", "one\n");
  BOOST_TEST(source({"-secret-file", file("secret")}).file == path() / "secret");
  {
    const testing::variable set("GOTUNNEL_SECRET", "from environment");
    BOOST_TEST(source({}).file == "");
  }
  BOOST_TEST(source({"-secret", "x"}).file == "");
  testing::spill(path() / "secret", "two\nthree\n");
  BOOST_TEST(joined(read_secret_file(path() / "secret", warnings)) == "two|three");

  std::array<int, 2> pipe{};
  BOOST_TEST_REQUIRE(::pipe(pipe.data()) == 0);
  BOOST_TEST(::write(pipe[1], "piped\n", 6) == 6);
  ::close(pipe[1]);
  const auto piped = source({"-secret-file", "/dev/fd/" + std::to_string(pipe[0])});
  BOOST_TEST(joined(piped.all) == "piped");
  BOOST_TEST(piped.file == "");
  BOOST_TEST(::fcntl(pipe[0], F_GETFD) == -1, "what was read is still open");
}

BOOST_AUTO_TEST_CASE(a_typed_secret_is_one_line) {
  BOOST_CHECK_THROW(read({"-secret", "two\nlines"}), usage_error);
  BOOST_CHECK_THROW(read({"-secret", std::string(4097, 'x')}), usage_error);
  const testing::variable set("GOTUNNEL_SECRET", "two\nlines");
  BOOST_CHECK_THROW(read({}), usage_error);
}

BOOST_AUTO_TEST_CASE(another_process_reads_what_is_handed_to_it) {
  const auto handed = hand_secrets({secret_text("newer"), secret_text("old and \xc3\xa4lter")});
  BOOST_TEST_REQUIRE(static_cast<bool>(handed));
  BOOST_TEST(::write(handed.get(), "x", 1) == -1, "it can be changed");
  const int passed = ::dup(handed.get());
  BOOST_TEST(read({"-secret-file", "/dev/fd/" + std::to_string(passed)}) == "newer|old and \xc3\xa4lter");
}

BOOST_AUTO_TEST_CASE(words_name_it_instead_of_what_was_typed) {
  using words = std::vector<std::string>;
  const words none{"server", "-secret-file", "/dev/fd/4"};
  BOOST_TEST(naming_handed_secrets({"server"}) == none, boost::test_tools::per_element());
  BOOST_TEST(naming_handed_secrets({"server", "-secret", "***"}) == none, boost::test_tools::per_element());
  BOOST_TEST(naming_handed_secrets({"server", "--secret=***"}) == none, boost::test_tools::per_element());
  BOOST_TEST(naming_handed_secrets(none) == none, boost::test_tools::per_element());
  const words others{"server", "-secret-file", "pipe", "-listen", "80", "-secret-file", "/dev/fd/4"};
  BOOST_TEST(naming_handed_secrets({"server", "-secret-file", "pipe", "-listen", "80"}) == others,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(files_that_hold_no_secret) {
  const testing::variable unset("GOTUNNEL_SECRET", std::nullopt);
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("\r\n"), std::string("a\n\n"), std::string("\na\n"),
        std::string("a\n\nb\n"), std::string("a\n\r\nb"), std::string("1\n2\n3\n4\n5\n"),
        std::string("a\0b", 3), std::string(4097, 'x'), "a\n" + std::string(4097, 'x'),
        std::string(70000, 'x')})
    BOOST_CHECK_THROW(read_file(content), usage_error);
  BOOST_CHECK_THROW(read({"-secret-file", file("nowhere")}), usage_error);
  BOOST_CHECK_THROW(read({"-secret-file", ""}), usage_error);
  BOOST_CHECK_THROW(read({}), usage_error);
  const testing::variable empty("GOTUNNEL_SECRET", "");
  BOOST_CHECK_THROW(read({}), usage_error);
}

BOOST_AUTO_TEST_CASE(a_file_that_everybody_can_read_is_warned_of) {
  const testing::variable unset("GOTUNNEL_SECRET", std::nullopt);
  BOOST_TEST(read_file("0a93f1b7c25e84d6", std::filesystem::perms(0640)) == "0a93f1b7c25e84d6");
  BOOST_TEST(warnings.empty());
  BOOST_TEST(read_file("0a93f1b7c25e84d6", std::filesystem::perms(0644)) == "0a93f1b7c25e84d6");
  BOOST_TEST(warnings.size() == 1U);
  BOOST_TEST(warnings.front() == "everybody on this machine can read the secret in " + file("secret") +
                                     ": chmod 600 " + file("secret"));
}

BOOST_AUTO_TEST_CASE(a_secret_option_is_taken_in_every_spelling) {
  const testing::variable unset("GOTUNNEL_SECRET", std::nullopt);
  std::vector<std::string> words{"server",        "-secret",       "one",          "--secret", "two",
                                 "-secret=three", "--secret=four", "-secret-file", "kept"};
  const auto typed = take(words);
  const std::vector<std::string> expected{"server",        "-secret",       "***",          "--secret", "***",
                                          "-secret=*****", "--secret=****", "-secret-file", "kept"};
  BOOST_TEST(words == expected, boost::test_tools::per_element());
  BOOST_TEST(typed.option.value().reveal() == "four");
  BOOST_TEST(!typed.environment.has_value());
}

BOOST_AUTO_TEST_CASE(a_secret_option_without_value_is_no_trouble) {
  std::vector<std::string> words{"-secret"};
  BOOST_TEST(!take(words).option.has_value());
  BOOST_TEST(words.front() == "-secret");
}

BOOST_AUTO_TEST_CASE(the_environment_has_it_no_more_not_even_where_it_was) {
  const testing::variable set("GOTUNNEL_SECRET", "from environment");
  const char* const there = std::getenv("GOTUNNEL_SECRET");
  std::vector<std::string> words;
  BOOST_TEST(take(words).environment.value().reveal() == "from environment");
  BOOST_TEST(*there == '\0');
  BOOST_TEST(std::getenv("GOTUNNEL_SECRET") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
