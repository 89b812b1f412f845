// Functions of one or two arrays, element by element. The output may be an input.
//
//   add                       a + b
//   multiply                  a * b
//   scale                     a * factor
//   clamp                     a < low ? low : a > high ? high : a
//   exp, log, tanh, sigmoid   our polynomials; errors in elementary.h
//   relu                      x <= 0 ? +0 : x
//   relu_backward             y <= 0 ? +0 : dy
//
// NaN      in x, a, b or y comes out, or lets dy pass: it is not <= 0.
// Bits     one rounding per element, or a fixed order of them: equal on every instruction set.
// Cost     bound by memory, except exp (about 1 ns an element on AVX2) and its kin.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct Unary {
  const float* x;
  float* y;
  Index n;
};

struct Binary {
  const float* a;
  const float* b;
  float* out;
  Index n;
};

struct Scale {
  const float* x;
  float* y;
  Index n;
  float factor;
};

struct Clamp {
  const float* x;
  float* y;
  Index n;
  float low, high;
};

} // namespace milliner
