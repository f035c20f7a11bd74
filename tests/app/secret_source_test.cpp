#include "gotunnel/app/secret_source.hpp"

#include "gotunnel/app/config.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::app;

namespace {

/// The environment variable for as long as a test needs it.
struct variable {
  explicit variable(const char* value) {
    if (value != nullptr)
      ::setenv("GOTUNNEL_SECRET", value, 1);
    else
      ::unsetenv("GOTUNNEL_SECRET");
  }
  variable(const variable&) = delete;
  variable& operator=(const variable&) = delete;
  ~variable() { ::unsetenv("GOTUNNEL_SECRET"); }
};

struct room : testing::scratch_directory {
  std::vector<std::string> warnings;

  std::string read(const std::vector<std::string>& arguments) {
    warnings.clear();
    return std::string(read_secret(server_options().parse(arguments), warnings).reveal());
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
  const variable set("from environment");
  BOOST_TEST(read({}) == "from environment");
  BOOST_TEST(read({"-secret", "from option"}) == "from option");
  testing::spill(path() / "secret", "from file\n");
  BOOST_TEST(read({"-secret-file", file("secret")}) == "from file");
  BOOST_CHECK_THROW(read({"-secret", "a", "-secret-file", file("secret")}), usage_error);
}

BOOST_AUTO_TEST_CASE(one_line_end_of_a_file_is_dropped) {
  const variable unset(nullptr);
  BOOST_TEST(read_file("abc") == "abc");
  BOOST_TEST(read_file("abc\n") == "abc");
  BOOST_TEST(read_file("abc\r\n") == "abc");
  BOOST_TEST(read_file(" a b ") == " a b ");
  BOOST_TEST(warnings.empty());
  BOOST_TEST(read_file(std::string(4096, 'x')).size() == 4096U);
  BOOST_TEST(read_file(std::string(4095, 'x') + "\n").size() == 4095U);
}

BOOST_AUTO_TEST_CASE(files_that_hold_no_secret) {
  const variable unset(nullptr);
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("\r\n"), std::string("a\nb\n"), std::string("a\n\n"),
        std::string("a\0b", 3), std::string(4097, 'x')})
    BOOST_CHECK_THROW(read_file(content), usage_error);
  BOOST_CHECK_THROW(read({"-secret-file", file("nowhere")}), usage_error);
  BOOST_CHECK_THROW(read({"-secret-file", ""}), usage_error);
  BOOST_CHECK_THROW(read({}), usage_error);
  const variable empty("");
  BOOST_CHECK_THROW(read({}), usage_error);
}

BOOST_AUTO_TEST_CASE(a_file_that_everybody_can_read_is_warned_of) {
  const variable unset(nullptr);
  BOOST_TEST(read_file("abc", std::filesystem::perms(0640)) == "abc");
  BOOST_TEST(warnings.empty());
  BOOST_TEST(read_file("abc", std::filesystem::perms(0644)) == "abc");
  BOOST_TEST(warnings.size() == 1U);
  BOOST_TEST(warnings.front() == "everybody on this machine can read the secret in " + file("secret") +
                                     ": chmod 600 " + file("secret"));
}

BOOST_AUTO_TEST_CASE(a_secret_argument_is_overwritten_in_every_spelling) {
  std::array<std::string, 10> words{"gotunnel", "server",        "-secret",       "one",          "--secret",
                                    "two",      "-secret=three", "--secret=four", "-secret-file", "kept"};
  std::array<char*, 11> pointers{};
  for (std::size_t i = 0; i < words.size(); ++i) pointers[i] = words[i].data();
  hide_secret_argument(static_cast<int>(words.size()), pointers.data());
  const std::array<std::string, 10> expected{"gotunnel",     "server", "-secret",       "***",
                                             "--secret",     "***",    "-secret=*****", "--secret=****",
                                             "-secret-file", "kept"};
  BOOST_TEST(words == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_secret_option_without_value_is_no_trouble) {
  std::array<std::string, 2> words{"gotunnel", "-secret"};
  std::array<char*, 3> pointers{words[0].data(), words[1].data(), nullptr};
  hide_secret_argument(2, pointers.data());
  BOOST_TEST(words[1] == "-secret");
}

BOOST_AUTO_TEST_SUITE_END()
