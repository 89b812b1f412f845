// AVX-512 (F, VL, DQ, BW): what the compiler's vector operators cannot say.
#pragma once

// g++ 12 warns of its own intrinsics: _mm512_undefined_ps is uninitialised on purpose (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

namespace milliner::MILLINER_SET {
namespace {

MILLINER_INLINE F splat(float x) { return _mm512_set1_ps(x); }
MILLINER_INLINE U splat(std::uint32_t x) { return (U)_mm512_set1_epi32(static_cast<int>(x)); }
MILLINER_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
MILLINER_INLINE F square_root(F x) { return _mm512_sqrt_ps(x); }

// Only lanes whose mask is set are read (the others are +0) or written; masked-off addresses cannot fault.
MILLINER_INLINE F load_lanes(const float* p, I mask) {
  return _mm512_maskz_loadu_ps(_mm512_movepi32_mask((__m512i)mask), p);
}
MILLINER_INLINE void store_lanes(float* p, F v, I mask) {
  _mm512_mask_storeu_ps(p, _mm512_movepi32_mask((__m512i)mask), v);
}

// high:low = a * m, 32 x 32 -> 64 bits in every lane.
MILLINER_INLINE void multiply_wide(U a, std::uint32_t m, U& high, U& low) {
  const __m512i factor = _mm512_set1_epi32(static_cast<int>(m));
  const __m512i even = _mm512_mul_epu32((__m512i)a, factor);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), factor);
  high = (U)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
  low = (U)_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

// a0 b0 a1 b1 ... of the low and of the high halves.
MILLINER_INLINE U zip_low(U a, U b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
MILLINER_INLINE U zip_high(U a, U b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// Lanes 4 q .. 4 q + 3 = p[q * stride .. + 3].
MILLINER_INLINE F load_quads(const float* p, Index stride) {
  F v = _mm512_castps128_ps512(_mm_loadu_ps(p));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(p + stride), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 2 * stride), 2);
  return _mm512_insertf32x4(v, _mm_loadu_ps(p + 3 * stride), 3);
}

// A transpose of 4 x 4 in every 4 lanes: lane 4 q + i of the j-th is lane 4 q + j of what was the i-th.
MILLINER_INLINE void transpose_quads(F& a, F& b, F& c, F& d) {
  const F ab = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  const F cd = __builtin_shufflevector(c, d, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  const F ef = __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  const F gh = __builtin_shufflevector(c, d, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  a = __builtin_shufflevector(ab, cd, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
  b = __builtin_shufflevector(ab, cd, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  c = __builtin_shufflevector(ef, gh, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
  d = __builtin_shufflevector(ef, gh, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}

// Moves the lanes whose mask is set to the front, in their order; the others become arbitrary. Returns how
// many they are.
MILLINER_INLINE Index pack_lanes(I mask, U& a, U& b) {
  const __mmask16 bits = _mm512_movepi32_mask((__m512i)mask);
  a = (U)_mm512_maskz_compress_epi32(bits, (__m512i)a);
  b = (U)_mm512_maskz_compress_epi32(bits, (__m512i)b);
  return __builtin_popcount(bits);
}

} // namespace
} // namespace milliner::MILLINER_SET

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
