// SHA-256, HMAC-SHA256, scrypt and random bytes, by OpenSSL's EVP.
//
// They fail only when the library cannot work at all (no memory, no entropy); then they throw
// std::runtime_error, and the process is not worth keeping.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/secret.hpp"

#include <array>
#include <initializer_list>

namespace gotunnel::crypto {

using sha256_digest = std::array<std::byte, 32>;

[[nodiscard]] sha256_digest sha256(bytes_view bytes);
/// HMAC over the concatenation of `parts` (RFC 2104).
[[nodiscard]] sha256_digest hmac_sha256(bytes_view key, std::initializer_list<bytes_view> parts);

/// Fills `out` from the system's generator.
void random_bytes(bytes_span out);

/// scrypt (RFC 7914), N = 2^14, r = 8, p = 1: about 16 MiB for about 40 ms. Once per process start, never per
/// connection.
[[nodiscard]] secret_key<32> stretch(const secret_text& secret, std::string_view salt);

} // namespace gotunnel::crypto
