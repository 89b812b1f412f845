// Gradient of a fully connected layer with respect to its input.
//
//   dx[row][k] = sum over units of dy[row][unit] * w[unit][k]
//
// Shapes   dy [n, m], w [m, k], dx [n, k]; row-major, contiguous, any alignment. No overlap.
// Bits     one chain of fma per element, units ascending from +0, then +0 is added.
//          |error| <= m * 2^-24 * sum |dy w|.
// Zeros    elements of dy that are 0 are left out of the chains only where all weights are finite.
// NaN      in dy or w comes out of every dx that it is a term of, 0 * NaN and 0 * inf included.
// Cost     2 n k m flops; reads w once, in place up to 191 rows.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct LinearInputGradient {
  const float* dy;
  const float* w;
  float* dx;
  Index n, k, m;
};

} // namespace milliner
