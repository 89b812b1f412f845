// What lies between two products: gates on feature maps, and the backward of everything after a product.
//
//   gate_apply:           y  = gate[unit] == 0 ? +0 : h * gate[unit]
//   activation_backward:  u  = gate[unit] == 0 ? +0 : dy * gate[unit]          (u = dy without gate)
//                         dv = relu && h <= 0 ? +0 : u * float32(1 / keep)
//                         dgate[unit] = sum over rows of dy * h
//                         dbias[unit] = sum over rows of dv
//
// h is the value after ReLU and dropout, so a unit that dropout removed has h = 0 and gets no gradient.
//
// Shapes   dy, h, dv, y [rows, units]; gate, dgate, dbias [units]. rows = batch, or batch x positions.
//          dv may be dy.
// Bits     dgate and dbias in blocks of kSumChunk rows as column_sum has them (reductions.h), with chains of
//          fma and of additions.
// Error    of dbias |error| <= (min(rows, kSumChunk) + blocks) 2^-24 sum |dv|; of dgate the same with
//          |dy h|.
// NaN      in h, dy or gate comes out of everything that is computed from it, but for dv behind a gate of 0
//          and where h <= 0.
// Cost     one pass: reads 8 and writes 4 bytes an element. Bound by memory.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct GateApply {
  const float* h;
  const float* gate;
  float* y;
  Index rows, units;
};

struct ActivationBackward {
  const float* dy;
  const float* h;    // or null, where neither relu nor dgate needs it
  const float* gate; // or null
  float* dv;
  float* dgate; // or null
  float* dbias; // or null
  Index rows, units;
  bool relu;
  double keep; // 0 < keep <= 1
};

} // namespace milliner
