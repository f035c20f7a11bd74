#include "gotunnel/link/gate_keys.hpp"

#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <algorithm>

namespace gotunnel::link {

shared_keys make_gate_keys(const std::vector<secret_text>& secrets, bool seed_peers, const gate_keys& known) {
  auto keys = std::make_shared<gate_keys>();
  keys->seed_peers = seed_peers;
  keys->all.reserve(secrets.size());
  for (const secret_text& each : secrets) {
    const auto same = [&each](const gate_key& key) { return key.secret.reveal() == each.reveal(); };
    const auto found = std::find_if(known.all.begin(), known.all.end(), same);
    keys->all.push_back(found != known.all.end() ? *found
                                                 : gate_key{each, crypto::stretch(each, wire::stretch_salt)});
  }
  return keys;
}

} // namespace gotunnel::link
