// The mean of every channel over all positions of an example, and its backward.
//
//   forward    y = sum over positions of x / float32(positions)
//   backward   dx = dy / float32(positions), at every position
//
// Shapes   x, dx [n, positions, channels]; y, dy [n, channels]. No overlap.
// Bits     forward: positions in chunks of 64, in a chunk a chain of additions from +0; the chunks' sums are
//          added ascending, then +0. backward: one division.
// Items    examples.
// Cost     one pass over x or dx.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct GlobalAveragePoolForward {
  const float* x;
  float* y;
  Index n, positions, channels; // positions > 0
};

struct GlobalAveragePoolBackward {
  const float* dy;
  float* dx;
  Index n, positions, channels; // positions > 0
};

} // namespace milliner
