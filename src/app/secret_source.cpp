#include "gotunnel/app/secret_source.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sys/stat.h>

namespace gotunnel::app {
namespace {

constexpr std::size_t secret_limit = 4096;

secret_text read_secret_file(const std::string& path, std::vector<std::string>& warnings) {
  errno = 0;
  // A pipe or /dev/stdin is as good as a file here.
  std::ifstream file(path, std::ios::binary);
  std::string text(secret_limit + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad() || (file.gcount() == 0 && errno != 0))
    throw usage_error(
        fmt::format("-secret-file \"{}\": cannot read: {}; write the secret into that file, or name another",
                    path, std::strerror(errno != 0 ? errno : EIO)));
  const auto size = static_cast<std::size_t>(file.gcount());
  if (size > secret_limit)
    throw usage_error(fmt::format("-secret-file \"{}\": longer than {} bytes; a secret is one short line",
                                  path, secret_limit));
  text.resize(size);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  const bool lines = text.find_first_of(std::string_view("\n\0", 2)) != std::string::npos;
  secret_text secret(text);
  wipe(text.data(), text.size());
  if (lines)
    throw usage_error(
        fmt::format("-secret-file \"{}\": more than one line; a secret is one short line", path));
  if (secret.empty())
    throw usage_error(fmt::format("-secret-file \"{}\": the file is empty; write the secret into it", path));

  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0)
    warnings.push_back(
        fmt::format("everybody on this machine can read the secret in {}: chmod 600 {}", path, path));
  return secret;
}

} // namespace

secret_text read_secret(const parsed_options& given, std::vector<std::string>& warnings) {
  if (given.given("secret") && given.given("secret-file"))
    throw usage_error("-secret and -secret-file are both given; keep one of them");
  if (given.given("secret")) {
    if (given.text("secret").empty())
      throw usage_error("-secret \"\": the secret is empty; give a long random text");
    return secret_text(given.text("secret"));
  }
  if (given.given("secret-file")) return read_secret_file(given.text("secret-file"), warnings);
  if (const char* value = std::getenv("GOTUNNEL_SECRET")) {
    if (*value == '\0')
      throw usage_error(
          "GOTUNNEL_SECRET \"\": the secret is empty; set it to a long random text, or use -secret-file");
    return secret_text(value);
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
