#include "threads/workspace.h"

#include <cstdlib>

namespace milliner {

Workspace::~Workspace() { std::free(block_); }

float* Workspace::reserve(std::size_t floats) noexcept {
  // One float at least, so that null means exhausted memory and nothing else.
  if (floats > floats_ || !block_) {
    const std::size_t wanted = (floats + 16) / 16 * 16;
    void* block = std::aligned_alloc(64, wanted * sizeof(float));
    if (!block)
      return nullptr;
    std::free(block_);
    block_ = static_cast<float*>(block);
    floats_ = wanted;
  }
  return block_;
}

} // namespace milliner
