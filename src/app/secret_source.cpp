#include "gotunnel/app/secret_source.hpp"

#include "gotunnel/app/secret_form.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/link/gate_keys.hpp"
#include "gotunnel/net/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

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

std::string too_long() {
  return fmt::format("longer than {} bytes; a secret is one short line", secret_limit);
}

/// The end of all ways to a secret. `source` names the option or the file.
secret_text accept(std::string_view secret, const std::string& source, std::vector<std::string>& warnings) {
  if (secret.size() > secret_limit) throw usage_error(fmt::format("{}: {}", source, too_long()));
  for (const std::string& each : doubts_about(secret))
    warnings.push_back(fmt::format("{}: {}", source, each));
  return secret_text(std::string(secret));
}

secret_text take_line(const fs::path& path, std::string_view line, std::size_t number,
                      std::vector<std::string>& warnings) {
  line = without_line_end(line);
  if (line.empty())
    throw wrong(path, fmt::format("line {} is empty; write one secret a line, and nothing else", number));
  if (line.find('\0') != line.npos)
    throw wrong(path, fmt::format("line {} holds a zero byte; a secret is one short line of text", number));
  return accept(line, fmt::format("-secret-file \"{}\"", path.string()), warnings);
}

/// Wipes the text.
std::vector<secret_text> take_lines(const fs::path& path, std::string text,
                                    std::vector<std::string>& warnings) {
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
    secrets.push_back(take_line(path, rest.substr(0, end), secrets.size() + 1, warnings));
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
std::vector<secret_text> read_stream(const fs::path& path, std::vector<std::string>& warnings) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(file_limit + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad() || (file.gcount() == 0 && errno != 0))
    throw unreadable(path, std::strerror(errno != 0 ? errno : EIO));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > file_limit) throw wrong(path, too_long());
  return take_lines(path, std::move(text), warnings);
}

/// Names of descriptors lead elsewhere later, or nowhere.
bool can_be_read_again(const fs::path& path) {
  struct ::stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode) &&
         !path.native().starts_with("/dev/") && !path.native().starts_with("/proc/");
}

} // namespace

std::vector<secret_text> read_secret_file(const fs::path& path, std::vector<std::string>& warnings) {
  auto file = net::read_file(path, file_limit);
  if (!file && file.error() == boost::system::errc::file_too_large) throw wrong(path, too_long());
  if (!file && file.error() == boost::system::errc::permission_denied)
    throw wrong(path, "cannot read: Permission denied; let the user of this process read it");
  if (!file) throw unreadable(path, file.error().message());
  warn_of_mode(path, file->mode, warnings);
  return take_lines(path, std::move(file->bytes), warnings);
}

secret_source read_secrets(const parsed_options& given, std::vector<std::string>& warnings) {
  if (given.given("secret") && given.given("secret-file"))
    throw usage_error("-secret and -secret-file are both given; keep one of them");
  if (given.given("secret")) {
    const std::string_view text = without_line_end(given.text("secret"));
    if (text.empty()) throw usage_error("-secret \"\": the secret is empty; give a long random text");
    return {{accept(text, "-secret", warnings)}, {}};
  }
  if (given.given("secret-file")) {
    const fs::path path = given.text("secret-file");
    if (can_be_read_again(path)) return {read_secret_file(path, warnings), path};
    return {read_stream(path, warnings), {}};
  }
  if (const char* value = std::getenv("GOTUNNEL_SECRET")) {
    const std::string_view text = without_line_end(value);
    if (text.empty())
      throw usage_error(
          "GOTUNNEL_SECRET \"\": the secret is empty; set it to a long random text, or use -secret-file");
    return {{accept(text, "GOTUNNEL_SECRET", warnings)}, {}};
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
