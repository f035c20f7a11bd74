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

memory_keeper& memory_keeper::of_process() noexcept {
  static memory_keeper instance;
  return instance;
}

bool memory_keeper::rest(time_point worked_until, time_point now) noexcept {
  // Blocks are in the pool of the thread that used them, and only that thread can empty it.
  thread_local time_point emptied_at{};
  if (emptied_at <= worked_until) {
    if (emptied_at != time_point{} && now - emptied_at < pace) return false;
    return_pooled_blocks();
    emptied_at = now;
  }
  time_point last = rested_at_.load(std::memory_order_relaxed);
  if (last >= emptied_at) return true;
  const bool first = last == time_point{};
  if (!first && now - last < pace) return false;
  if (!rested_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) return false;
  if (!first && ::mallinfo2().fordblks < worthwhile) return true;
  return_unused_memory();
  times_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void return_unused_memory() noexcept {
  return_pooled_blocks();
  ::malloc_trim(0);
  auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  ::dl_iterate_phdr(forget_code, &page);
}

} // namespace gotunnel
