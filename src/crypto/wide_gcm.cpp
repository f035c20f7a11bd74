#include "gotunnel/crypto/aead.hpp"

#include "gotunnel/base/secret.hpp"

#ifdef GOTUNNEL_WIDE_GCM

#include <intel-ipsec-mb.h>

#include <cassert>
#include <span>
#include <string_view>

#include <link.h>
#include <sys/mman.h>

namespace gotunnel::crypto {
namespace {

/// The library tests itself when it is initialized, and so touches all of its code: 3 MB that would count as
/// ours for ever. The little that is used comes back from the page cache.
int forget_code(dl_phdr_info* object, std::size_t /*size*/, void* /*user*/) {
  if (std::string_view(object->dlpi_name).find("libIPSec_MB") == std::string_view::npos) return 0;
  constexpr std::uintptr_t page = 4096;
  for (const ElfW(Phdr) & segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr + page - 1) / page * page;
    const std::uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) / page * page;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 1;
}

/// The library's table of functions for this processor, or null when it has no wide AES. Of all that the
/// library can do we call only functions without a state of their own, so all threads share it.
const IMB_MGR* manager() {
  static const std::unique_ptr<IMB_MGR, void (*)(IMB_MGR*)> made = [] {
    std::unique_ptr<IMB_MGR, void (*)(IMB_MGR*)> fresh(alloc_mb_mgr(0), free_mb_mgr);
    constexpr std::uint64_t wanted = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    if (!fresh || (fresh->features & wanted) != wanted) fresh.reset();
    if (fresh) init_mb_mgr_avx512(fresh.get());
    if (fresh && imb_get_errno(fresh.get()) != 0) fresh.reset();
    dl_iterate_phdr(forget_code, nullptr);
    return fresh;
  }();
  return made.get();
}

class wide_gcm final : public aead {
public:
  explicit wide_gcm(bytes_view key) : large_(key.size() == 32) {
    assert(key.size() == 16 || key.size() == 32);
    if (large_)
      IMB_AES256_GCM_PRE(lib_, key.data(), &key_);
    else
      IMB_AES128_GCM_PRE(lib_, key.data(), &key_);
  }
  ~wide_gcm() override { wipe(&key_, sizeof key_); }

  void seal(const nonce& number, bytes_view ad, bytes_view text, std::byte tail, bytes_span out) override {
    assert(out.size() == text.size() + 1 + tag_size);
    auto* const to = reinterpret_cast<std::uint8_t*>(out.data());
    auto* const tail_to = to + text.size();
    begin(number, ad);
    if (large_) {
      IMB_AES256_GCM_ENC_UPDATE(lib_, &key_, &message_, to, octets(text), text.size());
      IMB_AES256_GCM_ENC_UPDATE(lib_, &key_, &message_, tail_to, octets({&tail, 1}), 1);
      IMB_AES256_GCM_ENC_FINALIZE(lib_, &key_, &message_, tail_to + 1, tag_size);
    } else {
      IMB_AES128_GCM_ENC_UPDATE(lib_, &key_, &message_, to, octets(text), text.size());
      IMB_AES128_GCM_ENC_UPDATE(lib_, &key_, &message_, tail_to, octets({&tail, 1}), 1);
      IMB_AES128_GCM_ENC_FINALIZE(lib_, &key_, &message_, tail_to + 1, tag_size);
    }
  }

  bool open(const nonce& number, bytes_view ad, bytes_view sealed, bytes_span text,
            std::byte& tail) override {
    assert(sealed.size() == text.size() + 1 + tag_size);
    auto* const to = reinterpret_cast<std::uint8_t*>(text.data());
    auto* const tail_to = reinterpret_cast<std::uint8_t*>(&tail);
    const std::uint8_t* const from = octets(sealed);
    std::array<std::byte, tag_size> tag;
    auto* const tag_to = reinterpret_cast<std::uint8_t*>(tag.data());
    begin(number, ad);
    if (large_) {
      IMB_AES256_GCM_DEC_UPDATE(lib_, &key_, &message_, to, from, text.size());
      IMB_AES256_GCM_DEC_UPDATE(lib_, &key_, &message_, tail_to, from + text.size(), 1);
      IMB_AES256_GCM_DEC_FINALIZE(lib_, &key_, &message_, tag_to, tag_size);
    } else {
      IMB_AES128_GCM_DEC_UPDATE(lib_, &key_, &message_, to, from, text.size());
      IMB_AES128_GCM_DEC_UPDATE(lib_, &key_, &message_, tail_to, from + text.size(), 1);
      IMB_AES128_GCM_DEC_FINALIZE(lib_, &key_, &message_, tag_to, tag_size);
    }
    return equal_in_constant_time(tag, sealed.last(tag_size));
  }

private:
  static const std::uint8_t* octets(bytes_view bytes) noexcept {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
  }

  void begin(const nonce& number, bytes_view ad) {
    if (large_)
      IMB_AES256_GCM_INIT(lib_, &key_, &message_, octets(number), octets(ad), ad.size());
    else
      IMB_AES128_GCM_INIT(lib_, &key_, &message_, octets(number), octets(ad), ad.size());
  }

  const IMB_MGR* lib_ = manager();
  bool large_;                   ///< 256 bits of key
  alignas(64) gcm_key_data key_; // the library loads it in pieces of 64 bytes
  alignas(64) gcm_context_data message_;
};

} // namespace

std::unique_ptr<aead> make_wide_gcm(bytes_view key) {
  if (manager() == nullptr) return nullptr;
  return std::make_unique<wide_gcm>(key);
}

} // namespace gotunnel::crypto

#else

namespace gotunnel::crypto {

std::unique_ptr<aead> make_wide_gcm(bytes_view /*key*/) { return nullptr; }

} // namespace gotunnel::crypto

#endif
