// Gradient of a fully connected layer with respect to its weights, stored or applied at once.
//
//   g[unit][k] = sum over rows of dy[row][unit] * x[row][k]
//   linear_weight_gradient:  dw = g
//   linear_weight_update:    w  = fma(-lr, g * c, w)     where the element is not locked
//                            w  is not written           where bit k & 31 of locks[unit * ceil(k / 32) + (k
//                            >> 5)] is 1
//   c = 1 - min(post[unit], pre[k]), or 1 - post[unit] without pre; no multiplication without post
//
// The update happens in the tile that computed the gradient: the gradient is never stored, and the weights'
// lines, which had to be fetched anyway, are the only traffic. Rows of equal locks are computed over their
// free columns only (lock_classes.h): what is locked costs nothing, and is neither read nor written.
//
// Shapes   dy [n, m], x [n, k], w and dw [m, k], post [m], pre [k]; row-major, contiguous, any alignment. No
// overlap.
// Bits     one chain of fma per element, rows ascending from +0, then +0 is added. |error of g| <= n
// * 2^-24 * sum |dy x|. Cost     2 n f flops for f free elements of w, of which each is read and written
// once.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct LinearWeightGradient {
  const float* dy;
  const float* x;
  float* dw;
  Index n, k, m;
};

struct LinearWeightUpdate {
  const float* dy;
  const float* x;
  float* w;
  float lr;
  const float* post;          // or null
  const float* pre;           // or null
  const std::uint32_t* locks; // or null
  Index n, k, m;
};

// Words of lock bits in a row of k elements: rows begin at a word.
constexpr Index lock_words(Index k) { return ceil_div(k, 32); }

} // namespace milliner
