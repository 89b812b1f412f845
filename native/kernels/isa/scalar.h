// The portable set: 4 lanes, and on x86-64 a fused multiply-add without FMA hardware.
// For correctness, not for speed.
#pragma once

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace milliner::MILLINER_SET {
namespace {

MILLINER_INLINE F splat(float x) { return F{x, x, x, x}; }
MILLINER_INLINE U splat(std::uint32_t x) { return U{x, x, x, x}; }

#if defined(__x86_64__)
// Two exact fused multiply-adds on operands already widened to double; the sum is rounded to odd.
//
// The product of two floats has 48 bits: exact in double. The sum is rounded once to 53 bits and its error
// recovered (two-sum); when it is inexact the last bit is forced to odd, in the direction of the error. A
// value rounded to odd with two or more spare bits rounds to the same float as the exact one. Errors that are
// NaN (an operand was infinite or NaN) change nothing. Source: Boldo and Melquiond, "Emulation of FMA and
// correctly rounded sums", 2008.
MILLINER_INLINE __m128d fma_to_odd(__m128d a, __m128d b, __m128d c) {
  using D = double __attribute__((vector_size(16)));
  using L = long long __attribute__((vector_size(16)));
  const D product = (D)a * (D)b;
  const D addend = (D)c;
  const D sum = product + addend;
  const D rest = sum - product;
  const D error = (product - (sum - rest)) + (addend - rest);
  const L inexact = (L)(error > D{}) | (L)(error < D{});
  const L even = ((L)sum & 1) - 1;                     // all ones where the last bit is 0
  const L away = ~((L)(error > D{}) ^ (L)(sum > D{})); // error and sum have one sign: grow
  const L step = (away & 1) | (~away & -1LL);          // +1 or -1 in the last place
  return (__m128d)((L)sum + (step & inexact & even));
}

MILLINER_INLINE F fma(F a, F b, F c) {
  const __m128d low = fma_to_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
  const __m128d high = fma_to_odd(_mm_cvtps_pd(_mm_movehl_ps(a, a)), _mm_cvtps_pd(_mm_movehl_ps(b, b)),
                                  _mm_cvtps_pd(_mm_movehl_ps(c, c)));
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

MILLINER_INLINE F square_root(F x) { return _mm_sqrt_ps(x); }

MILLINER_INLINE void multiply_wide(U a, std::uint32_t m, U& high, U& low) {
  const __m128i factor = _mm_set1_epi32(static_cast<int>(m));
  const U even = (U)_mm_mul_epu32((__m128i)a, factor);
  const U odd = (U)_mm_mul_epu32(_mm_srli_epi64((__m128i)a, 32), factor);
  high = __builtin_shufflevector(even, odd, 1, 5, 3, 7);
  low = __builtin_shufflevector(even, odd, 0, 4, 2, 6);
}
#else
MILLINER_INLINE F fma(F a, F b, F c) {
  F r{};
  for (int i = 0; i < kLanes; i++)
    r[i] = __builtin_fmaf(a[i], b[i], c[i]); // one instruction wherever the baseline has it, as arm64's does
  return r;
}

MILLINER_INLINE F square_root(F x) {
  F r{};
  for (int i = 0; i < kLanes; i++)
    r[i] = __builtin_sqrtf(x[i]);
  return r;
}

MILLINER_INLINE void multiply_wide(U a, std::uint32_t m, U& high, U& low) {
  for (int i = 0; i < kLanes; i++) {
    const std::uint64_t product = std::uint64_t{a[i]} * m;
    high[i] = static_cast<std::uint32_t>(product >> 32);
    low[i] = static_cast<std::uint32_t>(product);
  }
}
#endif

// Only lanes whose mask is set are read (the others are +0) or written.
MILLINER_INLINE F load_lanes(const float* p, I mask) {
  F v{};
  for (int i = 0; i < kLanes; i++)
    if (mask[i])
      v[i] = p[i];
  return v;
}
MILLINER_INLINE void store_lanes(float* p, F v, I mask) {
  for (int i = 0; i < kLanes; i++)
    if (mask[i])
      p[i] = v[i];
}

// a0 b0 a1 b1 ... of the low and of the high halves.
MILLINER_INLINE U zip_low(U a, U b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
MILLINER_INLINE U zip_high(U a, U b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

// Lanes 4 q .. 4 q + 3 = p[q * stride .. + 3].
MILLINER_INLINE F load_quads(const float* p, Index) { return load(p); }

// A transpose of 4 x 4 in every 4 lanes: lane 4 q + i of the j-th is lane 4 q + j of what was the i-th.
MILLINER_INLINE void transpose_quads(F& a, F& b, F& c, F& d) {
  const F ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const F ef = __builtin_shufflevector(a, b, 2, 6, 3, 7), gh = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  c = __builtin_shufflevector(ef, gh, 0, 1, 4, 5);
  d = __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
}

// Moves the lanes whose mask is set to the front, in their order; the others become arbitrary. Returns how
// many they are.
MILLINER_INLINE Index pack_lanes(I mask, U& a, U& b) {
  Index count = 0;
  for (int lane = 0; lane < kLanes; lane++)
    if (mask[lane]) {
      a[count] = a[lane];
      b[count] = b[lane];
      count++;
    }
  return count;
}

} // namespace
} // namespace milliner::MILLINER_SET
