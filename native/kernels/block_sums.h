// Sums over the rows of a matrix whose columns lie along the lanes, in the order of column_sum (reductions.h):
// blocks of kSumChunk rows.
#pragma once

#include "kernels/reductions.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// V vectors of columns. `block` is for the caller to add to.
template <int V> class BlockSums {
public:
  F block[V] = {};

  // So many rows more lie behind, whose elements were added or are zeros. No block ends among those added.
  MILLINER_INLINE void pass(Index rows) {
    left_ -= rows;
    if (left_ <= 0)
      end_blocks();
  }

  MILLINER_INLINE F total(int j) const { return total_[j] + block[j] + F{}; }

private:
  MILLINER_INLINE void end_blocks() {
    MILLINER_UNROLL for (int j = 0; j < V; j++) {
      total_[j] = total_[j] + block[j];
      block[j] = F{};
    }
    left_ += ceil_div(1 - left_, kSumChunk) * kSumChunk;
  }

  F total_[V] = {};
  Index left_ = kSumChunk; // rows of this block
};

} // namespace
} // namespace milliner::MILLINER_SET
