#include "gotunnel/app/secret_source.hpp"

#include "gotunnel/app/secret_form.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/link/gate_keys.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* variable = "GOTUNNEL_SECRET";
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
  if (secret.find_first_of("\r\n") != std::string_view::npos)
    throw usage_error(fmt::format("{}: the secret holds a line break; give one line of text", source));
  for (const std::string& each : doubts_about(secret))
    warnings.push_back(fmt::format("{}: {}", source, each));
  return secret_text(secret);
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
  const link::wiped_at_the_end guard{text};
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

/// One that was passed to this process, to be read and closed: the next program must not find it.
net::descriptor passed_descriptor(std::string_view path) {
  constexpr std::string_view folder = "/dev/fd/";
  if (!path.starts_with(folder)) return {};
  int number = -1;
  const auto read = std::from_chars(path.data() + folder.size(), path.data() + path.size(), number);
  if (read.ec != std::errc() || read.ptr != path.data() + path.size() || number <= STDERR_FILENO) return {};
  return net::descriptor(::fcntl(number, F_GETFD) < 0 ? -1 : number);
}

/// A pipe or /dev/stdin is as good as a file here, once.
std::vector<secret_text> read_stream(const fs::path& path, std::vector<std::string>& warnings) {
  const net::descriptor passed = passed_descriptor(path.native());
  auto text = net::read_stream(path, file_limit, stream_patience);
  if (!text && text.error() == boost::system::errc::file_too_large) throw wrong(path, too_long());
  if (!text && text.error() == errc::timed_out)
    throw wrong(path, fmt::format("nobody wrote a secret into it, to its end, within {} s; see what was to",
                                  stream_patience.count()));
  if (!text) throw unreadable(path, text.error().message());
  return take_lines(path, std::move(*text), warnings);
}

enum class where { nowhere, here, next_word };

/// Whether this word is -secret, in any spelling, and where its value stands then.
where says_secret(std::string_view word) {
  const std::size_t dashes = word.starts_with("--") ? 2 : word.starts_with("-") ? 1 : 0;
  const std::size_t equals = std::min(word.find('='), word.size());
  if (dashes == 0 || equals < dashes || word.substr(dashes, equals - dashes) != "secret")
    return where::nowhere;
  return equals < word.size() ? where::here : where::next_word;
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

secret_source read_secrets(const parsed_options& given, const typed_secrets& typed,
                           std::vector<std::string>& warnings) {
  if (given.given("secret") && given.given("secret-file"))
    throw usage_error("-secret and -secret-file are both given; keep one of them");
  if (given.given("secret")) {
    const std::string_view text =
        typed.option ? without_line_end(typed.option->reveal()) : std::string_view();
    if (text.empty()) throw usage_error("-secret \"\": the secret is empty; give a long random text");
    return {{accept(text, "-secret", warnings)}, {}};
  }
  if (given.given("secret-file")) {
    const fs::path path = given.text("secret-file");
    if (net::can_be_read_again(path)) return {read_secret_file(path, warnings), path};
    return {read_stream(path, warnings), {}};
  }
  if (typed.environment) {
    const std::string_view text = without_line_end(typed.environment->reveal());
    if (text.empty())
      throw usage_error(
          "GOTUNNEL_SECRET \"\": the secret is empty; set it to a long random text, or use -secret-file");
    return {{accept(text, variable, warnings)}, {}};
  }
  throw usage_error("no secret; write one into a file (`openssl rand -hex 24 > secret`) and give "
                    "-secret-file secret, or set "
                    "GOTUNNEL_SECRET, or give -secret");
}

typed_secrets take_typed_secrets(int argc, char** argv) {
  typed_secrets taken;
  const auto take = [&taken](char* text) {
    taken.option = secret_text(text);
    std::fill_n(text, std::strlen(text), '*');
  };
  for (int i = 1; i < argc; ++i) {
    const auto said = says_secret(argv[i]);
    if (said == where::here)
      take(std::strchr(argv[i], '=') + 1);
    else if (said == where::next_word && i + 1 < argc)
      take(argv[++i]);
  }
  // The very bytes that the kernel shows, and not a copy of them.
  if (char* const value = std::getenv(variable)) {
    taken.environment = secret_text(value);
    wipe(value, std::strlen(value));
    ::unsetenv(variable);
  }
  return taken;
}

net::descriptor hand_secrets(const std::vector<secret_text>& secrets) {
  net::descriptor file(::memfd_create("secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return {};
  for (const secret_text& each : secrets)
    for (const std::string_view piece : {each.reveal(), std::string_view("\n")})
      if (::write(file.get(), piece.data(), piece.size()) != static_cast<ssize_t>(piece.size())) return {};
  // Whoever gets it reads from its beginning.
  if (::lseek(file.get(), 0, SEEK_SET) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return {};
  return file;
}

arguments naming_handed_secrets(const arguments& words) {
  // The last -secret-file counts, but none may stand beside a -secret.
  const arguments handed{"-secret-file", fmt::format("/dev/fd/{}", handed_secrets)};
  arguments named;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto said = says_secret(words[i]);
    if (said == where::nowhere)
      named.push_back(words[i]);
    else if (said == where::next_word)
      ++i;
  }
  const bool already = named.size() >= handed.size() &&
                       std::equal(handed.begin(), handed.end(), named.end() - std::ssize(handed));
  if (!already) named.insert(named.end(), handed.begin(), handed.end());
  return named;
}

} // namespace gotunnel::app
