#include "gotunnel/crypto/aead.hpp"

#include "gotunnel/base/secret.hpp"

#ifdef GOTUNNEL_WIDE_GCM

#include <intel-ipsec-mb.h>

#include <cassert>

namespace gotunnel::crypto {
namespace {

/// What the library has for one size of key on this processor: functions without a state of their own, so all
/// threads share them.
struct gcm_functions {
  aes_gcm_pre_t prepare;
  aes_gcm_init_t begin;
  aes_gcm_enc_dec_update_t encrypt;
  aes_gcm_enc_dec_finalize_t end_encrypting;
  aes_gcm_enc_dec_update_t decrypt;
  aes_gcm_enc_dec_finalize_t end_decrypting;
};
struct gcm_library {
  gcm_functions small; ///< AES-128
  gcm_functions large; ///< AES-256
};

/// Null when the processor has no wide AES.
const gcm_library* library() {
  static const std::unique_ptr<const gcm_library> found = [] {
    std::unique_ptr<const gcm_library> made;
    // The manager's other half, 200 KB of queues, serves what we do not use: only its functions are kept.
    const std::unique_ptr<IMB_MGR, void (*)(IMB_MGR*)> lib(alloc_mb_mgr(0), free_mb_mgr);
    constexpr std::uint64_t wanted = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    if (!lib || (lib->features & wanted) != wanted) return made;
    init_mb_mgr_avx512(lib.get());
    if (imb_get_errno(lib.get()) != 0) return made;
    made = std::make_unique<const gcm_library>(
        gcm_library{.small = {lib->gcm128_pre, lib->gcm128_init, lib->gcm128_enc_update,
                              lib->gcm128_enc_finalize, lib->gcm128_dec_update, lib->gcm128_dec_finalize},
                    .large = {lib->gcm256_pre, lib->gcm256_init, lib->gcm256_enc_update,
                              lib->gcm256_enc_finalize, lib->gcm256_dec_update, lib->gcm256_dec_finalize}});
    return made;
  }();
  return found.get();
}

class wide_gcm final : public aead {
public:
  wide_gcm(const gcm_functions& by, bytes_view key) : by_(by) { by_.prepare(key.data(), &key_); }
  ~wide_gcm() override { wipe(&key_, sizeof key_); }

  void seal(const nonce& number, bytes_view ad, bytes_view text, std::byte tail, bytes_span out) override {
    assert(out.size() == text.size() + 1 + tag_size);
    std::uint8_t* const to = octets(out);
    std::uint8_t* const tail_to = to + text.size();
    by_.begin(&key_, &message_, octets(bytes_view{number}), octets(ad), ad.size());
    by_.encrypt(&key_, &message_, to, octets(text), text.size());
    by_.encrypt(&key_, &message_, tail_to, octets(bytes_view{&tail, 1}), 1);
    by_.end_encrypting(&key_, &message_, tail_to + 1, tag_size);
  }

  bool open(const nonce& number, bytes_view ad, bytes_view sealed, bytes_span text,
            std::byte& tail) override {
    assert(sealed.size() == text.size() + 1 + tag_size);
    const std::uint8_t* const from = octets(sealed);
    std::array<std::byte, tag_size> tag;
    by_.begin(&key_, &message_, octets(bytes_view{number}), octets(ad), ad.size());
    by_.decrypt(&key_, &message_, octets(text), from, text.size());
    by_.decrypt(&key_, &message_, octets(bytes_span{&tail, 1}), from + text.size(), 1);
    by_.end_decrypting(&key_, &message_, octets(bytes_span{tag}), tag_size);
    return equal_in_constant_time(tag, sealed.last(tag_size));
  }

private:
  static const std::uint8_t* octets(bytes_view bytes) noexcept {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
  }
  static std::uint8_t* octets(bytes_span bytes) noexcept {
    return reinterpret_cast<std::uint8_t*>(bytes.data());
  }

  const gcm_functions& by_;
  // The library loads both in pieces of 64 bytes.
  alignas(64) gcm_key_data key_;
  alignas(64) gcm_context_data message_;
};

} // namespace

std::unique_ptr<aead> make_wide_gcm(bytes_view key) {
  const gcm_library* const lib = library();
  if (lib == nullptr) return nullptr;
  assert(key.size() == 16 || key.size() == 32);
  return std::make_unique<wide_gcm>(key.size() == 16 ? lib->small : lib->large, key);
}

} // namespace gotunnel::crypto

#else

namespace gotunnel::crypto {

std::unique_ptr<aead> make_wide_gcm(bytes_view /*key*/) { return nullptr; }

} // namespace gotunnel::crypto

#endif
