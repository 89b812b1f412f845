// Forward of a fully connected layer with everything that follows it up to the next product.
//
//   v = (sum over k of x[row][k] * w[unit][k]) + bias[unit]
//   v = v <= 0 ? +0 : v                                       if relu
//   v = kept(row, unit) ? v * float32(1 / keep) : +0          if drop (dropout.h);
//                                                             `unit` is numbers[unit] if numbers
//   h = v                                                     if h
//   y = gate[unit] == 0 ? +0 : v * gate[unit]                 if gate, else y = v
//
// A gate of 0 selects and does not multiply: 0 * inf is NaN.
//
// Shapes   x [n, k], w [m, k], bias [m], gate [m], h and y [n, m]; row-major, contiguous, any alignment.
//          No overlap.
// Bits     one chain of fma per output, k ascending from +0; then +0 is added (a flushed chain may end
//          in -0), then the bias: equal on every instruction set, for any split and any batch.
//          |error| <= k * 2^-24 * sum |x w|.
// Zeros    inputs that are 0 are left out of their chains only where all weights are finite.
// NaN      in x, w or bias comes out of every v that it is a term of, 0 * NaN and 0 * inf included.
// Modes    flush-to-zero is set by the caller (DESIGN section 3, exactness, item 4).
// Cost     2 n k m flops; reads w once. Up to 4 rows cost a pass over w; from 5 up to kColumns rows cost as
//          much as kColumns.
#pragma once

#include "kernels/dropout.h"

namespace milliner {

struct LinearForward {
  const float* x;
  const float* w;
  const float* bias; // or null
  const float* gate; // or null
  float* h;          // or null
  float* y;
  Index n, k, m;
  bool relu;
  bool drop;
  double keep;
  Random random;
  const std::uint32_t* numbers; // of the units in the full layer, [m] ascending: counts dropout; or null
};

} // namespace milliner
