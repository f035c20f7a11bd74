// Keys and certificates as values: the self-made CA, the server's certificate, what a certificate says, and
// its pin.
//
// No files and no clock here: PEM text in and out, `now` as an argument; link/cert_store keeps the files.
// Follows RFC 5280. Keys are ECDSA P-256. Errors: errc::bad_certificate for text that is not what it should
// be.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::crypto {

/// The name in every server certificate, and the one that clients ask for whatever the server's address is.
inline constexpr std::string_view server_name = "gotunnel.internal";

/// A certificate and its private key, as PEM. The key is PKCS#8 or, from the original program, SEC1.
struct credential {
  std::string certificate;
  secret_text key;
};

/// CN `GoTunnel CA`, 10 years, keyCertSign + cRLSign, pathlen 0, random 128-bit serial. Valid from `now` or,
/// when that is earlier, from `since`: for a machine whose clock cannot be right yet.
[[nodiscard]] result<credential> make_authority(wall_time now, wall_time since = wall_time::max());
/// Another 10 years for a CA that signed itself: the same name, key and pin, a new certificate. errc::refused
/// for a CA that another one has signed.
[[nodiscard]] result<credential> renew_authority(const credential& authority, wall_time now,
                                                 wall_time since = wall_time::max());

/// CN and DNS SAN `gotunnel.internal`, serverAuth; ends after `lifetime`, or with the CA if that is sooner.
/// `since` as above.
[[nodiscard]] result<credential> issue_server(const credential& authority, wall_time now,
                                              std::chrono::days lifetime, wall_time since = wall_time::max());

/// What one certificate says.
struct certificate_facts {
  std::string subject;                ///< RFC 2253, for people
  std::vector<std::string> dns_names; ///< the subject alternative names
  wall_time not_before{};
  wall_time not_after{};
  bool authority = false; ///< basicConstraints CA
  std::string pin; ///< `sha256:` + hex of SHA-256 over the SubjectPublicKeyInfo (as RFC 7469 hashes it)
};

/// The first certificate of a PEM text.
[[nodiscard]] result<certificate_facts> read_certificate(std::string_view pem);
/// True when the private key belongs to the certificate.
[[nodiscard]] result<bool> key_matches(std::string_view certificate_pem, const secret_text& key_pem);
/// True when `certificate` was signed by `authority`'s key (names and times are not looked at).
[[nodiscard]] result<bool> signed_by(std::string_view certificate_pem, std::string_view authority_pem);

/// A pin as the user writes it: `sha256:` and 64 hexadecimal digits. Normalized to lower case; false when it
/// is not one.
[[nodiscard]] bool normalize_pin(std::string& pin);

} // namespace gotunnel::crypto
