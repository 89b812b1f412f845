// Dropout, and the random words behind it.
//
//   y[row][unit] = kept ? x[row][unit] * float32(1 / keep) : +0
//   kept: word `unit & 3` of Philox block (unit >> 2, row, step, stream) < floor(keep * 2^32)
//
// Its backward is the same function of dy. The decision is an integer comparison of a counter-based word:
// nothing is stored, and the same element is dropped whatever else is computed. Units are counted in the full
// layer: where only some of them are computed, `numbers` says which, ascending.
//
// Shapes   x, y: [rows, units]; y may be x. out: [rows, units] words.
//          numbers: [units], or null for 0, 1, 2, ...
// Bits     one multiplication per element: equal everywhere. Known answers of Random123 are tested.
// Cost     about 10 rounds of 2 wide multiplications for each 4 * kLanes units: 0.7 ns an element on AVX2.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct Random {
  std::uint32_t seed_low;
  std::uint32_t seed_high;
  std::uint32_t stream;
  std::uint32_t step;
};

struct Dropout {
  const float* x;
  float* y;
  Index rows, units;
  double keep; // 0 < keep <= 1
  Random random;
  const std::uint32_t* numbers = nullptr;
};

struct RandomBits {
  std::uint32_t* out;
  Index rows, units;
  Random random;
};

} // namespace milliner
