#include "gotunnel/crypto/aead.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <openssl/crypto.h>
#include <openssl/objects.h>

#include <cassert>

namespace gotunnel::crypto {
namespace {

using namespace ossl;

using cipher_ptr = owner<EVP_CIPHER, EVP_CIPHER_free>;
using cipher_context_ptr = owner<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

// From here on OpenSSL itself uses VAES and AVX-512 for AES-GCM.
constexpr unsigned long wide_since = 0x30200000;

class evp_aead final : public aead {
public:
  evp_aead(const char* algorithm, bytes_view key, use direction)
      : cipher_(EVP_CIPHER_fetch(nullptr, algorithm, nullptr)), context_(EVP_CIPHER_CTX_new()),
        sealing_(direction == use::seal ? 1 : 0) {
    if (!cipher_ || !context_ ||
        static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher_.get())) != key.size() ||
        EVP_CipherInit_ex2(context_.get(), cipher_.get(), octets(key), nullptr, sealing_, nullptr) != 1)
      fail("AEAD");
  }

  void seal(const nonce& number, bytes_view ad, bytes_view text, std::byte tail, bytes_span out) override {
    assert(sealing_ == 1 && out.size() == text.size() + 1 + tag_size);
    const bytes_span tag = out.last(tag_size);
    int none = 0;
    const bool done = begin(number, ad) && pass(text, out) && pass({&tail, 1}, out.subspan(text.size())) &&
                      EVP_CipherFinal_ex(context_.get(), octets(tag), &none) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1;
    if (!done) fail("AEAD");
  }

  bool open(const nonce& number, bytes_view ad, bytes_view sealed, bytes_span text,
            std::byte& tail) override {
    assert(sealing_ == 0 && sealed.size() == text.size() + 1 + tag_size);
    std::array<std::byte, tag_size> tag; // the library takes it without const
    std::memcpy(tag.data(), sealed.last(tag_size).data(), tag_size);
    int none = 0;
    const bool intact =
        begin(number, ad) && pass(sealed.first(text.size()), text) &&
        pass(sealed.subspan(text.size(), 1), {&tail, 1}) &&
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) == 1 &&
        EVP_CipherFinal_ex(context_.get(), octets(bytes_span{tag}), &none) == 1;
    if (!intact) clear_errors();
    return intact;
  }

private:
  bool begin(const nonce& number, bytes_view ad) {
    return EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, octets(bytes_view{number}), sealing_,
                              nullptr) == 1 &&
           pass(ad, {});
  }

  /// Additional data when `to` is empty.
  bool pass(bytes_view from, bytes_span to) {
    int written = 0;
    return from.empty() || EVP_CipherUpdate(context_.get(), to.empty() ? nullptr : octets(to), &written,
                                            octets(from), static_cast<int>(from.size())) == 1;
  }

  cipher_ptr cipher_;
  cipher_context_ptr context_;
  int sealing_; ///< 1 or 0, as EVP wants it
};

} // namespace

std::unique_ptr<aead> make_evp_aead(const char* algorithm, bytes_view key, aead::use direction) {
  return std::make_unique<evp_aead>(algorithm, key, direction);
}

std::unique_ptr<aead> aead::make(const SSL_CIPHER* suite, bytes_view key, use direction) {
  const int algorithm = SSL_CIPHER_get_cipher_nid(suite);
  const bool gcm = algorithm == NID_aes_128_gcm || algorithm == NID_aes_256_gcm;
  if (gcm && OpenSSL_version_num() < wide_since) {
    if (auto wide = make_wide_gcm(key)) return wide;
  }
  return make_evp_aead(OBJ_nid2sn(algorithm), key, direction);
}

} // namespace gotunnel::crypto
