// Scratch memory of one thread: it only grows, so a training loop allocates in its first step
// and never again.
#pragma once

#include <cstddef>

namespace milliner {

class Workspace {
public:
  Workspace() = default;
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // At least `floats` floats, 64-byte aligned, contents undefined; null when memory is exhausted (the old
  // block is kept).
  float* reserve(std::size_t floats) noexcept;

private:
  float* block_ = nullptr;
  std::size_t floats_ = 0;
};

} // namespace milliner
