#include "gotunnel/base/resident_memory.hpp"

#include "gotunnel/base/block_pool.hpp"

#include <cstdint>
#include <span>

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace gotunnel {
namespace {

/// Code is backed by its file: pages that are dropped come back from the page cache when they run again.
int forget_code(dl_phdr_info* object, std::size_t /*size*/, void* user) {
  const auto page = *static_cast<const std::uintptr_t*>(user);
  for (const ElfW(Phdr) & segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr + page - 1) / page * page;
    const std::uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

} // namespace

void return_unused_memory() noexcept {
  return_pooled_blocks();
  ::malloc_trim(0);
  auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  ::dl_iterate_phdr(forget_code, &page);
}

} // namespace gotunnel
