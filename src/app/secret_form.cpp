#include "gotunnel/app/secret_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace gotunnel::app {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view blanks = " \t\v\f\r\n";
constexpr std::string_view line_ends = "\r\n";

// What people type when a secret is asked for; longer ones first, for some begin with others.
constexpr std::string_view common_words[] = {
    "administrator", "passphrase", "password", "passwort", "changeme", "changethis", "gotunnel", "letmein",
    "iloveyou",      "trustno",    "welcome",  "default",  "example",  "passwd",     "qwerty",   "qwertz",
    "sample",        "secret",     "sesame",   "tunnel",   "server",   "client",     "master",   "dragon",
    "monkey",        "hello",      "admin",    "login",    "shared",   "token",      "super",    "test",
    "demo",          "pass",       "open",     "user",     "root",     "key",        "the",      "my"};

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Common words, with whatever digits and signs stand between them.
bool made_of_common_words(std::string_view secret) {
  bool any = false;
  while (!secret.empty()) {
    if (!letter(secret.front())) {
      secret.remove_prefix(1);
      continue;
    }
    const auto same = [](char given, char known) { return (given | 0x20) == known; };
    const auto begins = [&](std::string_view word) {
      return word.size() <= secret.size() &&
             std::equal(word.begin(), word.end(), secret.begin(), [&](char k, char g) { return same(g, k); });
    };
    const auto* const word = std::find_if(std::begin(common_words), std::end(common_words), begins);
    if (word == std::end(common_words)) return false;
    any = true;
    secret.remove_prefix(word->size());
  }
  return any;
}

/// Like aaaaaaaa or 12345678: three in four characters repeat the one before, or are its neighbours.
bool runs_on(std::string_view secret) {
  std::size_t near = 0;
  for (std::size_t i = 1; i < secret.size(); ++i)
    if (std::abs(static_cast<int>(secret[i]) - static_cast<int>(secret[i - 1])) <= 1) ++near;
  return 4 * near >= 3 * (secret.size() - 1);
}

/// Like abc-abc-abc-abc: the same few characters again and again.
bool repeats(std::string_view secret) {
  for (std::size_t period = 1; 3 * period <= secret.size(); ++period)
    if (secret.substr(period) == secret.substr(0, secret.size() - period)) return true;
  return false;
}

std::optional<std::string> weakness_of(std::string_view secret) {
  if (secret.size() < good_secret_size) return fmt::format("has fewer than {} characters", good_secret_size);
  if (made_of_common_words(secret)) return "is made of common words";
  if (runs_on(secret) || repeats(secret)) return "is a pattern";
  return std::nullopt;
}

} // namespace

std::string_view without_line_end(std::string_view text) noexcept {
  while (!text.empty() && line_ends.find(text.back()) != line_ends.npos) text.remove_suffix(1);
  return text;
}

std::vector<std::string> doubts_about(std::string_view secret) {
  std::vector<std::string> doubts;
  if (secret.empty()) return doubts;
  if (secret.starts_with(byte_order_mark))
    doubts.emplace_back(
        "the secret begins with a byte order mark (EF BB BF), which is part of it; the other side refuses "
        "it unless it has the same: save the file as UTF-8 without one");
  if (blanks.find(secret.front()) != blanks.npos || blanks.find(secret.back()) != blanks.npos)
    doubts.emplace_back(
        "the secret begins or ends with a blank, which is part of it; the other side refuses it unless it "
        "has the same: remove the blank on both sides");
  if (const auto why = weakness_of(secret))
    doubts.push_back(fmt::format("the secret {} and can be guessed by whoever reaches the server; make one "
                                 "with `openssl rand -hex 24`",
                                 *why));
  return doubts;
}

} // namespace gotunnel::app
