#include "addon/call.h"
#include "addon/functions.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

// Zeroed memory outside the JavaScript heap, where the runtime takes it. Large blocks are mapped in whole huge
// pages: +2 to +5 points of the peak on every product with 16 MB of weights (kernels.md 2.2). Smaller ones,
// activations of a batch above all, share huge pages: on small ones the 784-2000-2000 step at batch 64 takes
// 1.03 times as long, because every row of an activation then lies in pages of its own.

namespace milliner {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kHugeFrom = std::size_t{4} << 20;
constexpr std::size_t kSharedFrom = std::size_t{64} << 10;
constexpr std::size_t kCacheLine = 64;
// No ArrayBuffer of Node 20 is larger. A larger one is refused before it is made: Node takes the memory over
// before it refuses, and frees it as well.
constexpr Index kMostBytes = Index{1} << 32;

constexpr std::size_t round_bytes(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

#if defined(__linux__)
// Address space on a boundary of huge pages; null when the system has none. The pages are advice: without
// them the memory and the bits are the same.
struct Mapping {
  void* start; // what munmap takes
  std::size_t bytes;
  void* data;
};

bool map_huge(std::size_t size, Mapping& mapping) {
  const std::size_t bytes = size + kHugePage;
  void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED)
    return false;
  mapping = {start, bytes,
             reinterpret_cast<void*>(round_bytes(reinterpret_cast<std::uintptr_t>(start), kHugePage))};
  madvise(mapping.data, size, MADV_HUGEPAGE);
  return true;
}

// Huge pages that blocks of less than kHugeFrom share: the first gap that is wide enough. All environments
// use one, and finalizers of any of them may give back at any time.
class SharedPages {
public:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for (Chunk& chunk : chunks_)
      for (auto gap = chunk.gaps.begin(); gap != chunk.gaps.end(); ++gap)
        if (gap->second >= bytes)
          return cut(chunk, gap, bytes);
    Chunk chunk{};
    if (!map_huge(kChunk, chunk.mapping))
      return nullptr;
    chunk.gaps.emplace(0, kChunk);
    chunks_.push_back(std::move(chunk));
    return cut(chunks_.back(), chunks_.back().gaps.begin(), bytes);
  }

  void give_back(void* data, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for (auto chunk = chunks_.begin(); chunk != chunks_.end(); ++chunk) {
      const auto base = reinterpret_cast<std::uintptr_t>(chunk->mapping.data);
      const std::size_t offset = reinterpret_cast<std::uintptr_t>(data) - base;
      if (offset >= kChunk) // also where data lies below base: the difference wraps
        continue;
      auto gap = chunk->gaps.emplace(offset, bytes).first;
      const auto after = std::next(gap);
      if (after != chunk->gaps.end() && offset + bytes == after->first) {
        gap->second += after->second;
        chunk->gaps.erase(after);
      }
      if (gap != chunk->gaps.begin()) {
        const auto before = std::prev(gap);
        if (before->first + before->second == offset) {
          before->second += gap->second;
          chunk->gaps.erase(gap);
        }
      }
      if (chunk->gaps.begin()->second == kChunk) {
        munmap(chunk->mapping.start, chunk->mapping.bytes);
        chunks_.erase(chunk);
      }
      return;
    }
  }

private:
  static constexpr std::size_t kChunk = 4 * kHugePage;

  struct Chunk {
    Mapping mapping;
    std::map<std::size_t, std::size_t> gaps; // offset, bytes: never two that touch
  };

  static void* cut(Chunk& chunk, std::map<std::size_t, std::size_t>::iterator gap, std::size_t bytes) {
    const auto [offset, width] = *gap;
    chunk.gaps.erase(gap);
    if (width > bytes)
      chunk.gaps.emplace(offset + bytes, width - bytes);
    return static_cast<char*>(chunk.mapping.data) + offset;
  }

  std::mutex mutex_;
  std::vector<Chunk> chunks_;
};

// Never destroyed: buffers may outlive every static of the process.
SharedPages& shared_pages() {
  static auto* const pages = new SharedPages;
  return *pages;
}
#endif

enum class Source { allocator, mapping, shared };

struct Block {
  void* data;
  Source source;
  void* start; // of a mapping
  std::size_t bytes;
};

bool make_block(std::size_t bytes, Block& block) {
  const std::size_t size = round_bytes(bytes, kCacheLine);
#if defined(__linux__)
  if (bytes >= kHugeFrom) {
    Mapping mapping{};
    if (!map_huge(round_bytes(bytes, kHugePage), mapping))
      return false;
    block = {mapping.data, Source::mapping, mapping.start, mapping.bytes};
    return true;
  }
  if (bytes >= kSharedFrom) {
    block = {shared_pages().take(size), Source::shared, nullptr, size};
  } else
#endif
    block = {std::aligned_alloc(kCacheLine, size), Source::allocator, nullptr, size};
  if (block.data)
    std::memset(block.data, 0, size);
  return block.data != nullptr;
}

void free_block(const Block& block) {
#if defined(__linux__)
  if (block.source == Source::mapping) {
    munmap(block.start, block.bytes);
    return;
  }
  if (block.source == Source::shared) {
    shared_pages().give_back(block.data, block.bytes);
    return;
  }
#endif
  std::free(block.data);
}

napi_value no_memory(napi_env env) {
  napi_throw_error(env, "NATIVE_MEMORY", "allocate: the system has no memory of that size");
  return nullptr;
}

// Runtimes that keep all memory of JavaScript in a cage (Electron 21 and later) take none from outside.
std::atomic<bool> is_caged{false};

// Memory of the heap: aligned and paged as the runtime does it, the bits are the same. By the constructor of
// ArrayBuffer, because napi_create_arraybuffer ends the process where there is no memory.
napi_value heap_block(napi_env env, double bytes) {
  napi_value global, constructor, length, result;
  if (napi_get_global(env, &global) == napi_ok &&
      napi_get_named_property(env, global, "ArrayBuffer", &constructor) == napi_ok &&
      napi_create_double(env, bytes, &length) == napi_ok &&
      napi_new_instance(env, constructor, 1, &length, &result) == napi_ok)
    return result;
  napi_value failure; // a RangeError that says less than ours
  napi_get_and_clear_last_exception(env, &failure);
  return no_memory(env);
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
  if (is_caged)
    return heap_block(env, bytes);
  Block block{};
  if (!make_block(size, block))
    return no_memory(env);
  // V8 counts the bytes of an external ArrayBuffer itself, so that the collector feels them.
  const auto release = [](napi_env, void*, void* hint) {
    auto* owned = static_cast<Block*>(hint);
    free_block(*owned);
    delete owned;
  };
  auto* owned = new Block(block);
  const napi_status status = napi_create_external_arraybuffer(env, block.data, size, release, owned, &result);
  if (status == napi_ok)
    return result;
  free_block(block);
  delete owned;
  if (status == napi_no_external_buffers_allowed) {
    is_caged = true;
    return heap_block(env, bytes);
  }
  return no_memory(env);
}

napi_value addon_free(napi_env env, napi_callback_info info) {
  Call call(env, info, "free", 1);
  if (call.ok() && !call.detach(0))
    call.refuse_type(0, "buffer", "an ArrayBuffer that can be detached");
  return nullptr;
}

} // namespace milliner
