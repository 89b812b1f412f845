// Gradient of a fully connected layer with respect to its weights, stored or applied at once.
//
//   g[unit][k] = sum over rows of dy[row][unit] * x[row][k]
//   linear_weight_gradient:  dw = g
//   linear_weight_update:    w steps by g * c as sgd does (optimizer_step.h)
//   linear_weight_momentum, linear_weight_adam:   w and its state, as momentum and adam do
//
//   c = 1 - min(post[unit], pre[k]), or 1 - post[unit] without pre; no multiplication without post. Neither w
//   nor state is written where bit k & 31 of locks[unit * ceil(k / 32) + (k >> 5)] is 1.
//
// The update happens in the tile that computed the gradient: the gradient is never stored, and the weights'
// lines and the state's, which had to be fetched anyway, are the only traffic. Rows of equal locks are
// computed over their free columns only (lock_classes.h): what is locked costs nothing, and is neither read
// nor written.
//
// Where x is 0 in the whole batch the gradient is +0 if dy is finite, and plain SGD leaves w as it is: such
// columns need not be computed. (post and pre are shares, from 0 to 1.)
//
// Shapes   dy [n, m], x [n, k], w, dw and the state [m, k], post [m], pre [k]; row-major, contiguous, any
//          alignment. No overlap.
// Bits     one chain of fma per element, rows ascending from +0, then +0 is added; the rest in the order of
//          optimizer_step.h, so that a step from a stored gradient has the same bits.
//          |error of g| <= n * 2^-24 * sum |dy x|.
// Zeros    elements of dy that are 0 are left out of the chains only where x is finite.
// NaN      in dy, x, post or pre comes out of every g that it is a term or a factor of, 0 * NaN and 0 * inf
//          included.
// Cost     2 n f flops for f free elements of w, of which each is read and written once.
#pragma once

#include "kernels/optimizer_step.h"
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

struct LinearWeightMomentum {
  const float* dy;
  const float* x;
  float* w;
  float* velocity; // or null: then momentum counts as 0
  MomentumFactors factors;
  const float* post;          // or null
  const float* pre;           // or null
  const std::uint32_t* locks; // or null
  Index n, k, m;
};

struct LinearWeightAdam {
  const float* dy;
  const float* x;
  float* w;
  float* mean;
  float* square;
  AdamFactors factors;
  const float* post;          // or null
  const float* pre;           // or null
  const std::uint32_t* locks; // or null
  Index n, k, m;
};

} // namespace milliner
