// TLS contexts of one made-up authority, made once a program.
#pragma once

#include "gotunnel/crypto/tls_context.hpp"

#include <chrono>

namespace gotunnel::testing {

struct tls_contexts {
  explicit tls_contexts(bool seed_peers = true) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto authority = crypto::make_authority(now).value();
    const auto leaf = crypto::issue_server(authority, now, std::chrono::days(30)).value();
    server = crypto::tls_context::server({leaf, authority.certificate, seed_peers}).value();
    client = crypto::tls_context::client({authority.certificate, "", seed_peers}).value();
  }

  result<crypto::tls_context> server = error_code();
  result<crypto::tls_context> client = error_code();

  [[nodiscard]] static const tls_contexts& common() {
    static const tls_contexts made;
    return made;
  }
};

} // namespace gotunnel::testing
