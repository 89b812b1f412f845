// Reference of the bf16 kernels: what TDPBF16PS does, word for word, one sum at a time; and the error bound.
#pragma once

#include "kernels/work.h"

#include <cmath>
#include <cstring>

namespace milliner {

// The nearest float with 8 significant bits, ties to even; subnormals to zero. For finite x.
inline float bf16_ref(float x) {
  if (std::abs(x) < std::ldexp(1.0f, -126))
    return std::copysign(0.0f, x);
  int exponent;
  const double fraction = std::frexp(static_cast<double>(x), &exponent); // 0.5 <= |fraction| < 1
  const double nearest = std::nearbyint(std::ldexp(fraction, 8));        // to even, the default mode
  return static_cast<float>(std::ldexp(nearest, exponent - 8));
}

// sum over t of a(t) b(t) as one element of a tile sees it; a and b give float32. Flush mode is the caller's.
template <class A, class B> float bf16_product_ref(Index terms, const A& a, const B& b) {
  float sum = 0;
  for (Index t0 = 0; t0 < terms; t0 += 32) {
    float chains[2] = {0, 0};
    for (Index t = t0; t < t0 + 32; t++)
      chains[t & 1] = t < terms ? std::fma(bf16_ref(a(t)), bf16_ref(b(t)), chains[t & 1])
                                : std::fma(0.0f, 0.0f, chains[t & 1]);
    sum = sum + (chains[0] + chains[1]);
  }
  return sum + 0.0f;
}

// Of a product of `terms` terms whose absolute values sum up to `magnitude` (table.h).
inline double bf16_bound(Index terms, double magnitude) {
  const double sums = static_cast<double>(terms) / 32 + 18;
  return (std::ldexp(1.0, -7) + std::ldexp(1.0, -16) + sums * std::ldexp(1.0, -23)) * magnitude +
         std::ldexp(1.0, -100);
}

} // namespace milliner
