// One step of an optimizer that leaves locked elements alone: SGD, SGD with momentum, Adam and AdamW.
//
//   sgd        w = fma(-lr, g, w)
//
//   momentum   g' = fma(decay, w, g)                    without the fma where decay is 0
//              v  = fma(momentum, v, g')                v is g' where there is no velocity
//              d  = fma(momentum, v, g') or v           with or without nesterov
//              w  = fma(-lr, d, w)
//
//   adam       g' = fma(decay, w, g)                    without the fma where decay is 0: Adam's weight decay
//              mean   = fma(mean_share, g' - mean, mean)
//              square = fma(square_share * g', g', square_keep * square)
//              w  = fma(-step, mean / fma(sqrt(square), correction, epsilon), shrink * w)
//
//   where bit j & 31 of locks[i * ceil(columns / 32) + (j >> 5)] is 0; where it is 1, neither the weight nor
//   its state is written: no decay, no momentum.
//
// A bit and not a factor of 0, because 0 * inf is NaN, and because "not written" can be proved by a
// write-protected page while "written with the same value" cannot.
//
// These are PyTorch's formulas (torch.optim: SGD with dampening 0, Adam, AdamW) with fma where it multiplies
// and adds. With the paper's symbols: mean_share = 1 - beta1, square_keep = beta2, square_share = 1 - beta2,
// step = lr / (1 - beta1^t), correction = 1 / sqrt(1 - beta2^t), shrink = 1 - lr * weight decay (AdamW) or 1.
// Source: Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
//
// Shapes   w, g and the state: [rows, columns], contiguous, no overlap.
// Bits     the operations above in this order (update_rule.h), each rounded once: equal on every instruction
//          set, for any split, and in the tile of a weight gradient (linear_weight.h).
// Cost     one pass: reads 8 bytes an element and 4 for each state, writes 4 and 4. Bound by memory.
#pragma once

#include "kernels/work.h"

namespace milliner {

// Words of lock bits in a row of elements: rows begin at a word.
constexpr Index lock_words(Index columns) { return ceil_div(columns, 32); }

struct Sgd {
  float* w;
  const float* g;
  float lr;
  const std::uint32_t* locks; // or null
  Index rows, columns;
};

struct MomentumFactors {
  float lr, momentum, decay;
  bool nesterov;
};

struct Momentum {
  float* w;
  const float* g;
  float* velocity; // or null: then momentum counts as 0
  MomentumFactors factors;
  const std::uint32_t* locks; // or null
  Index rows, columns;
};

struct AdamFactors {
  float step, shrink, decay, mean_share, square_keep, square_share, correction, epsilon;
};

struct Adam {
  float* w;
  const float* g;
  float* mean;
  float* square;
  AdamFactors factors;
  const std::uint32_t* locks; // or null
  Index rows, columns;
};

} // namespace milliner
