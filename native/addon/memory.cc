#include "addon/call.h"
#include "addon/functions.h"

#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

// Zeroed memory outside the JavaScript heap. Large blocks are mapped in whole huge pages: +2 to +5 points of
// the peak on every product with 16 MB of weights (kernels.md 2.2).

namespace milliner {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kHugeFrom = std::size_t{4} << 20;
// No ArrayBuffer of Node 20 is larger. A larger one is refused before it is made: Node takes the memory over
// before it refuses, and frees it as well.
constexpr Index kMostBytes = Index{1} << 32;

struct Block {
  void* data;
  void* mapping; // null: data came from aligned_alloc
  std::size_t mapped;
};

bool map_block(std::size_t bytes, Block& block) {
#if defined(__linux__)
  if (bytes >= kHugeFrom) {
    const std::size_t size = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    const std::size_t mapped = size + kHugePage;
    void* mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
      return false;
    const auto address = (reinterpret_cast<std::uintptr_t>(mapping) + kHugePage - 1) / kHugePage * kHugePage;
    block = {reinterpret_cast<void*>(address), mapping, mapped};
    madvise(block.data, size, MADV_HUGEPAGE); // advice: without it the pages are small, and the bits the same
    return true;
  }
#endif
  const std::size_t size = (bytes + 63) / 64 * 64;
  block = {std::aligned_alloc(64, size), nullptr, 0};
  if (block.data)
    std::memset(block.data, 0, size);
  return block.data != nullptr;
}

void free_block(const Block& block) {
#if defined(__linux__)
  if (block.mapping) {
    munmap(block.mapping, block.mapped);
    return;
  }
#endif
  std::free(block.data);
}

} // namespace

napi_value addon_allocate(napi_env env, napi_callback_info info) {
  Call call(env, info, "allocate", 1);
  const double bytes = call.number(0, "bytes");
  if (call.ok() && !(bytes >= 0 && bytes <= static_cast<double>(kMostBytes) &&
                     bytes == static_cast<double>(static_cast<Index>(bytes))))
    call.refuse("bytes is %.17g, and must be a whole number from 0 to 2^32", bytes);
  if (!call.ok())
    return nullptr;
  const auto size = static_cast<std::size_t>(bytes);
  napi_value result = nullptr;
  if (size == 0) {
    void* nothing = nullptr;
    napi_create_arraybuffer(env, 0, &nothing, &result);
    return result;
  }
  Block block{};
  if (!map_block(size, block)) {
    napi_throw_error(env, "NATIVE_MEMORY", "allocate: the system has no memory of that size");
    return nullptr;
  }
  // V8 counts the bytes of an external ArrayBuffer itself, so that the collector feels them.
  const auto release = [](napi_env, void*, void* hint) {
    auto* owned = static_cast<Block*>(hint);
    free_block(*owned);
    delete owned;
  };
  auto* owned = new Block(block);
  if (napi_create_external_arraybuffer(env, block.data, size, release, owned, &result) != napi_ok) {
    free_block(block);
    delete owned;
    napi_throw_error(env, "NATIVE_MEMORY",
                     "allocate: this runtime does not take memory from outside its heap");
    return nullptr;
  }
  return result;
}

} // namespace milliner
