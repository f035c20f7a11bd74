#include "gotunnel/app/keyring.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/log.hpp"

#include <algorithm>
#include <utility>

namespace gotunnel::app {
namespace {

void keep_first(std::vector<secret_text>& secrets, std::size_t most) {
  if (secrets.size() > most)
    secrets.erase(secrets.begin() + static_cast<std::ptrdiff_t>(most), secrets.end());
}

} // namespace

keyring::keyring(secret_source source, bool seed_peers, std::size_t most)
    : file_(std::move(source.file)), most_(most) {
  keep_first(source.all, most_);
  keys_ = link::make_gate_keys(source.all, seed_peers);
}

net::descriptor keyring::hand_over() const {
  std::vector<secret_text> secrets;
  for (const link::gate_key& each : keys_->all) secrets.push_back(each.secret);
  return hand_secrets(secrets);
}

link::shared_keys keyring::look() const {
  if (file_.empty()) return keys_;
  std::vector<std::string> warnings;
  auto secrets = read_secret_file(file_, warnings);
  keep_first(secrets, most_);
  const auto same = [](const secret_text& now, const link::gate_key& known) {
    return now.reveal() == known.secret.reveal();
  };
  if (std::equal(secrets.begin(), secrets.end(), keys_->all.begin(), keys_->all.end(), same)) return keys_;
  for (const std::string& each : warnings) log::warn("app", "{}", each);
  return link::make_gate_keys(secrets, keys_->seed_peers, *keys_);
}

const link::shared_keys& keyring::latest() {
  try {
    auto now = look();
    if (now != keys_) log::info("app", "-secret-file {}: read again, the secret has changed", file_.string());
    take(std::move(now));
    trouble_.clear();
  } catch (const usage_error& e) {
    if (std::exchange(trouble_, e.what()) != e.what())
      log::warn("app", "{}; going on with the former secret", e.what());
  }
  return keys_;
}

} // namespace gotunnel::app
