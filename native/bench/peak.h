// The loops that find the roofs over every kernel: fused multiply-adds per second that a set's registers can
// do, and bytes per second that its loads bring in.
#pragma once

#include "kernels/work.h"

namespace milliner {

// run_peak: runs `steps` rounds of fma on as many independent registers as a tile has,
// returns the flops done.
// run_read: loads every float once and returns a sum of them that means nothing, for otherwise nothing would
// be loaded.
#define MILLINER_ROOFS(set)                                                                                  \
  namespace set {                                                                                            \
  double run_peak(long steps) noexcept;                                                                      \
  float run_read(const float* data, Index floats) noexcept;                                                  \
  }
MILLINER_ROOFS(scalar)
MILLINER_ROOFS(avx2)
MILLINER_ROOFS(avx512)
MILLINER_ROOFS(neon)
#undef MILLINER_ROOFS

} // namespace milliner
