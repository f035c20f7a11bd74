#include "gotunnel/net/door.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>

namespace gotunnel::net {
namespace {

namespace cause = boost::system::errc;

// The port that the system chose on the first address may be taken on the second.
constexpr int choices = 64;

bool not_here(const error_code& why) {
  return why == cause::address_not_available || why == cause::address_family_not_supported;
}

} // namespace

result<door> door::open(const executor& where, const addresses& of, std::uint16_t port) {
  const int attempts = port == 0 && of.size() > 1 ? choices : 1;
  for (int left = attempts; left > 1; --left) {
    auto opened = open_all(where, of, port);
    if (opened || opened.error() != cause::address_in_use) return opened;
  }
  return open_all(where, of, port);
}

result<door> door::open_all(const executor& where, const addresses& of, std::uint16_t port) {
  if (of.empty()) {
    auto all = tcp_listener::open(where, {"", port});
    if (!all) return all.error();
    door made;
    made.add(std::move(*all));
    return made;
  }
  // [::] is all addresses: it leaves nothing to the others.
  const asio::ip::address everywhere = asio::ip::address_v6::any();
  if (of.size() > 1 && std::find(of.begin(), of.end(), everywhere) != of.end())
    return open_all(where, {everywhere}, port);
  door made;
  error_code missing;
  for (const auto& address : of) {
    auto opened = tcp_listener::open(where, asio::ip::tcp::endpoint(address, port));
    if (!opened && !not_here(opened.error())) return opened.error();
    if (!opened) {
      missing = opened.error();
      continue;
    }
    port = opened->address().port();
    made.add(std::move(*opened));
  }
  if (!made) return missing;
  return made;
}

void door::add(tcp_listener listener) {
  listeners_.push_back(std::make_shared<tcp_listener>(std::move(listener)));
}

bool door::has(const asio::ip::address& address) const {
  return std::any_of(listeners_.begin(), listeners_.end(), [&address](const auto& each) {
    const auto own = each->address().address();
    return own == address || own == asio::ip::address_v6::any();
  });
}

void door::pause() {
  for (const auto& each : listeners_) each->pause();
}

void door::resume() {
  for (const auto& each : listeners_) each->resume();
}

void door::close() {
  for (const auto& each : std::exchange(listeners_, {})) each->close();
}

std::string to_string(const door& of) {
  std::string all;
  for (const auto& each : of.listeners()) all += (all.empty() ? "" : ", ") + to_string(each->address());
  return all;
}

} // namespace gotunnel::net
