#include "support/allocation_counter.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0};

void counted() noexcept { count.fetch_add(1, std::memory_order_relaxed); }

} // namespace

namespace gotunnel::testing {

std::size_t allocations() noexcept { return count.load(std::memory_order_relaxed); }

} // namespace gotunnel::testing

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

// The aligned and nothrow forms keep the library's definitions: the first is not used here, the second calls
// these.
void* operator new(std::size_t size) {
  counted();
  if (void* const memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

#else

// glibc's manual, "Replacing malloc"; its own functions stay reachable under these names.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t number, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) {
  counted();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  counted();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  counted();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  counted();
  return __libc_memalign(alignment, size);
}
void free(void* memory) { __libc_free(memory); }
}

#endif
