// One step of SGD that leaves locked elements alone.
//
//   w[i][j] = fma(-lr, g[i][j], w[i][j])   where bit j & 31 of locks[i * ceil(columns / 32) + (j >> 5)] is 0
//   w[i][j] is not written                 where it is 1
//
// A bit and not a factor of 0, because 0 * inf is NaN, and because "not written" can be proved by a
// write-protected page while "written with the same value" cannot.
//
// Shapes   w, g: [rows, columns], contiguous, no overlap.
// Bits     one fma per element: equal on every instruction set and for any split. Error <= 0.5 ulp.
// Cost     one pass: reads 8 bytes and writes 4 an element. Bound by memory.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct Sgd {
  float* w;
  const float* g;
  float lr;
  const std::uint32_t* locks; // or null
  Index rows, columns;
};

} // namespace milliner
