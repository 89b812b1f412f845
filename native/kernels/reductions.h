// Sums whose order depends on shapes only (DESIGN section 3, exactness, item 6).
//
//   sum, sum_squares   chunks of 4096 elements; in a chunk 16 virtual lanes, lane j adds elements
//                      i = j mod 16 ascending from +0; missing elements of the last chunk count as +0; lanes
//                      are combined by halves (8 + 8, 4 + 4, 2 + 2, 1 + 1); chunk totals are added ascending
//                      from +0. sum_squares does all in double.
//   column_sum         out[unit]: blocks of 4096 rows, in a block one chain of additions, rows ascending from
//                      +0; the blocks' sums are added ascending from +0, then +0. Up to 4096 rows are one
//                      chain.
//   all_finite         no element is NaN or infinite: exact
//
// Error    |error| <= (256 + 4 + chunks) * 2^-24 * sum |x| for sum, with 2^-53 for sum_squares;
//          (min(rows, 4096) + blocks) * 2^-24 * sum |x| for column_sum.
// Cost     one pass. sum and sum_squares write one total per chunk, which add_ascending adds: no atomics.
#pragma once

#include "kernels/work.h"

namespace milliner {

// Elements of a chunk; rows of a block. A chain of 4096 terms of one sign is off by 1e-5 at most in practice and
// by 2.4e-4 at worst, and is longer than any usual batch, so that layers without positions are one chain.
constexpr Index kSumChunk = 4096;
constexpr Index kSumLanes = 16;

// totals: [ceil(n / kSumChunk)], one per chunk.
struct Sum {
  const float* x;
  float* totals;
  Index n;
};

struct SumSquares {
  const float* x;
  double* totals;
  Index n;
};

struct ColumnSum {
  const float* x;
  float* out;
  Index rows, units;
};

// found: one word per item of kFiniteChunk elements, 1 where something is not finite.
constexpr Index kFiniteChunk = 65536;
struct AllFinite {
  const float* x;
  std::uint32_t* found;
  Index n;
};

// The end of a sum: its chunks' totals ascending from +0. Of all_finite: whether a chunk found something.
template <class Number> constexpr Number add_ascending(const Number* totals, Index chunks) {
  Number total = 0;
  for (Index i = 0; i < chunks; i++)
    total = total + totals[i];
  return total;
}
constexpr bool any_found(const std::uint32_t* found, Index chunks) {
  for (Index i = 0; i < chunks; i++)
    if (found[i])
      return true;
  return false;
}

} // namespace milliner
