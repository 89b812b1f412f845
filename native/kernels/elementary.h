// exp, log, tanh and the logistic function on vectors: our own polynomials in a fixed order of fma, no libm
// and no estimate instructions, so the bits are the same on every instruction set (DESIGN section 3,
// exactness, item 5).
//
// Largest errors, in ulp of the float32 result, checked by elementwise_test.cc over the whole range:
//
//   exponential          1.01   normal results; x < -87.3365 gives +0, x > 88.7228 gives +inf
//   logistic             2.4    -87.3365 <= x; below it gives +0; exactly 0.5 at 0,
//                               exactly 1 from 24 ln 2 = 16.6355 on
//   hyperbolic_tangent   2.0
//   logarithm            1.0    normal x > 0; zero and subnormals give -inf, x < 0 gives NaN
//
// Coefficients: Cephes (S. Moshier), single precision. NaN in, NaN out.
#pragma once

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

MILLINER_INLINE F absolute(F x) { return (F)((U)x & splat(0x7FFFFFFFu)); }

MILLINER_INLINE F exponential(F x) {
  const F lowest = splat(-87.33654475f), highest = splat(88.72283905f);
  const F clamped = x < lowest ? lowest : (x > highest ? highest : x);
  // Adding 1.5 * 2^23 rounds to the nearest integer (ties to even) and leaves it in the low bits.
  const F magic = splat(12582912.0f);
  const F shifted = fma(clamped, splat(1.44269504088896341f), magic);
  const F n = shifted - magic;
  const I e = (I)shifted - (I)magic;
  F r = fma(n, splat(-0.693359375f), clamped); // ln 2 in two parts; the first product is exact
  r = fma(n, splat(2.12194440e-4f), r);
  F p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  const F y = fma(p, r * r, r) + splat(1.0f);
  const I half = e >> 1; // 2^e in two factors, so that e = 128 and e = -126 need no special case
  const F scaled = y * (F)((half + 127) << 23) * (F)((e - half + 127) << 23);
  const F bounded = x < lowest ? F{} : (x > highest ? splat(__builtin_inff()) : scaled);
  return x == x ? bounded : x;
}

MILLINER_INLINE F logistic(F x) {
  const F z = exponential(-absolute(x));
  const F d = splat(1.0f) + z;
  return x < F{} ? z / d : splat(1.0f) / d;
}

MILLINER_INLINE F hyperbolic_tangent(F x) {
  const F size = absolute(x);
  const F square = x * x;
  F p = splat(-5.70498872745e-3f);
  p = fma(p, square, splat(2.06390887954e-2f));
  p = fma(p, square, splat(-5.37397155531e-2f));
  p = fma(p, square, splat(1.33314422036e-1f));
  p = fma(p, square, splat(-3.33332819422e-1f));
  const F near = fma(p * square, x, x);
  const F far = splat(1.0f) - splat(2.0f) / (exponential(size + size) + splat(1.0f));
  const F signed_far = (F)((U)far | ((U)x & splat(0x80000000u)));
  return size < splat(0.625f) ? near : signed_far;
}

MILLINER_INLINE F logarithm(F x) {
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)):
  // shift the exponent's origin so that the split lies at sqrt(1/2).
  const U shifted = (U)x - splat(0x3F3504F3u);
  const I e = (I)shifted >> 23;
  const F m = (F)((shifted & splat(0x007FFFFFu)) + splat(0x3F3504F3u));
  const F f = m - splat(1.0f);
  const F n = __builtin_convertvector(e, F);
  F p = splat(7.0376836292e-2f);
  p = fma(p, f, splat(-1.1514610310e-1f));
  p = fma(p, f, splat(1.1676998740e-1f));
  p = fma(p, f, splat(-1.2420140846e-1f));
  p = fma(p, f, splat(1.4249322787e-1f));
  p = fma(p, f, splat(-1.6668057665e-1f));
  p = fma(p, f, splat(2.0000714765e-1f));
  p = fma(p, f, splat(-2.4999993993e-1f));
  p = fma(p, f, splat(3.3333331174e-1f));
  const F square = f * f;
  F y = p * f * square;
  y = fma(n, splat(-2.12194440e-4f), y);
  y = fma(square, splat(-0.5f), y);
  y = fma(n, splat(0.693359375f), f + y);
  const F infinity = splat(__builtin_inff());
  y = x == infinity ? infinity : y;
  y = x < splat(1.17549435e-38f) ? (x < F{} ? splat(__builtin_nanf("")) : -infinity) : y;
  return x == x ? y : x;
}

} // namespace
} // namespace milliner::MILLINER_SET
