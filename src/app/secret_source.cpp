#include "gotunnel/app/secret_source.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/link/gate_keys.hpp"
#include "gotunnel/net/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include <sys/stat.h>

namespace gotunnel::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t secret_limit = 4096;
constexpr std::size_t file_limit = link::gate_keys_limit * (secret_limit + 2);

usage_error wrong(const fs::path& path, std::string_view why) {
  return usage_error(fmt::format("-secret-file \"{}\": {}", path.string(), why));
}

usage_error unreadable(const fs::path& path, std::string_view why) {
  return wrong(path, fmt::format("cannot read: {}; write the secret into that file, or name another", why));
}

usage_error too_long(const fs::path& path) {
  return wrong(path, fmt::format("longer than {} bytes; a secret is one short line", secret_limit));
}

secret_text take_line(const fs::path& path, std::string_view line, std::size_t number) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty())
    throw wrong(path, fmt::format("line {} is empty; write one secret a line, and nothing else", number));
  if (line.size() > secret_limit) throw too_long(path);
  if (line.find('\0') != line.npos)
    throw wrong(path, fmt::format("line {} holds a zero byte; a secret is one short line of text", number));
  return secret_text(std::string(line));
}

/// Wipes the text.
std::vector<secret_text> take_lines(const fs::path& path, std::string text) {
  struct wiped_at_the_end {
    std::string& text;
    ~wiped_at_the_end() { wipe(text.data(), text.size()); }
  } const guard{text};
  std::string_view rest(text);
  if (rest.empty() || rest == "\n" || rest == "\r\n")
    throw wrong(path, "the file is empty; write the secret into it");
  std::vector<secret_text> secrets;
  while (!rest.empty()) {
    if (secrets.size() == link::gate_keys_limit)
      throw wrong(path, fmt::format("more than {} lines; a server takes {} secrets at once, one a line",
                                    link::gate_keys_limit, link::gate_keys_limit));
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    secrets.push_back(take_line(path, rest.substr(0, end), secrets.size() + 1));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return secrets;
}

void warn_of_mode(const fs::path& path, mode_t mode, std::vector<std::string>& warnings) {
  if ((mode & S_IROTH) == 0) return;
  warnings.push_back(fmt::format("everybody on this machine can read the secret in {}: chmod 600 {}",
                                 path.string(), path.string()));
}

/// A pipe or /dev/stdin is as good as a file here, once.
std::vector<secret_text> read_stream(const fs::path& path) {
  auto text = net::read_stream(path, file_limit, stream_patience);
  if (!text && text.error() == boost::system::errc::file_too_large) throw too_long(path);
  if (!text && text.error() == errc::timed_out)
    throw wrong(path, fmt::format("nobody wrote a secret into it, to its end, within {} s; see what was to",
                                  stream_patience.count()));
  if (!text) throw unreadable(path, text.error().message());
  return take_lines(path, std::move(*text));
}

} // namespace

std::vector<secret_text> read_secret_file(const fs::path& path, std::vector<std::string>& warnings) {
  auto file = net::read_file(path, file_limit);
  if (!file && file.error() == boost::system::errc::file_too_large) throw too_long(path);
  if (!file && file.error() == boost::system::errc::permission_denied)
    throw wrong(path, "cannot read: Permission denied; let the user of this process read it");
  if (!file) throw unreadable(path, file.error().message());
  warn_of_mode(path, file->mode, warnings);
  return take_lines(path, std::move(file->bytes));
}

secret_source read_secrets(const parsed_options& given, std::vector<std::string>& warnings) {
  if (given.given("secret") && given.given("secret-file"))
    throw usage_error("-secret and -secret-file are both given; keep one of them");
  if (given.given("secret")) {
    if (given.text("secret").empty())
      throw usage_error("-secret \"\": the secret is empty; give a long random text");
    return {{secret_text(given.text("secret"))}, {}};
  }
  if (given.given("secret-file")) {
    const fs::path path = given.text("secret-file");
    if (net::can_be_read_again(path)) return {read_secret_file(path, warnings), path};
    return {read_stream(path), {}};
  }
  if (const char* value = std::getenv("GOTUNNEL_SECRET")) {
    if (*value == '\0')
      throw usage_error(
          "GOTUNNEL_SECRET \"\": the secret is empty; set it to a long random text, or use -secret-file");
    return {{secret_text(value)}, {}};
  }
  throw usage_error("no secret; write one into a file (`openssl rand -hex 24 > secret`) and give "
                    "-secret-file secret, or set "
                    "GOTUNNEL_SECRET, or give -secret");
}

void hide_secret_argument(int argc, char** argv) noexcept {
  const auto hide = [](char* text) {
    for (; *text != '\0'; ++text) *text = '*';
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    const std::size_t dashes = word.starts_with("--") ? 2 : word.starts_with("-") ? 1 : 0;
    if (dashes == 0) continue;
    const std::string_view name =
        word.substr(dashes, word.find('=') == word.npos ? word.npos : word.find('=') - dashes);
    if (name != "secret") continue;
    if (const auto equals = word.find('='); equals != word.npos)
      hide(argv[i] + equals + 1);
    else if (i + 1 < argc)
      hide(argv[++i]);
  }
}

} // namespace gotunnel::app
