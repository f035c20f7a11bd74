#include "gotunnel/app/keyring.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gotunnel::app {
namespace {

void keep_first(std::vector<secret_text>& secrets, std::size_t most) {
  if (secrets.size() > most)
    secrets.erase(secrets.begin() + static_cast<std::ptrdiff_t>(most), secrets.end());
}

/// Blocks.
link::shared_keys look(const std::filesystem::path& file, std::size_t most, const link::shared_keys& known) {
  std::vector<std::string> warnings;
  auto secrets = read_secret_file(file, warnings);
  keep_first(secrets, most);
  const auto same = [](const secret_text& now, const link::gate_key& key) {
    return now.reveal() == key.secret.reveal();
  };
  if (std::equal(secrets.begin(), secrets.end(), known->all.begin(), known->all.end(), same)) return known;
  for (const std::string& each : warnings) log::warn("app", "{}", each);
  return link::make_gate_keys(secrets, known->seed_peers, *known);
}

} // namespace

keyring::keyring(const net::executor& where, net::file_worker& files, secret_source source, bool seed_peers,
                 std::size_t most)
    : file_(std::move(source.file)), most_(most), files_(files), looked_(where) {
  keep_first(source.all, most_);
  keys_ = link::make_gate_keys(source.all, seed_peers);
}

net::descriptor keyring::hand_over() const {
  std::vector<secret_text> secrets;
  for (const link::gate_key& each : keys_->all) secrets.push_back(each.secret);
  return hand_secrets(secrets);
}

std::function<link::shared_keys()> keyring::looking() const {
  if (file_.empty()) return [known = keys_] { return known; };
  return [file = file_, most = most_, known = keys_] { return look(file, most, known); };
}

asio::awaitable<link::shared_keys> keyring::latest() {
  if (file_.empty()) co_return keys_;
  if (looking_) {
    while (looking_) co_await looked_.wait();
    co_return keys_;
  }
  looking_ = true;
  struct end_of_look {
    ~end_of_look() {
      self.looking_ = false;
      self.looked_.notify();
    }
    keyring& self;
  } const guard{*this};
  co_await follow();
  co_return keys_;
}

asio::awaitable<void> keyring::follow() {
  std::string trouble;
  try {
    auto look_now = looking();
    const auto now = co_await files_.run(look_limit, std::move(look_now));
    if (!now)
      trouble =
          fmt::format("-secret-file \"{}\": its disk, or the network that it lies on, hangs", file_.string());
    else if (*now != keys_)
      log::info("app", "-secret-file {}: read again, the secret has changed", file_.string());
    if (now) take(*now);
  } catch (const usage_error& e) {
    trouble = e.what();
  }
  if (std::exchange(trouble_, trouble) != trouble && !trouble.empty())
    log::warn("app", "{}; going on with the former secret", trouble);
}

} // namespace gotunnel::app
