// AVX2 with FMA: what the compiler's vector operators cannot say.
#pragma once

#include <immintrin.h>

namespace milliner::MILLINER_SET {
namespace {

MILLINER_INLINE F splat(float x) { return _mm256_set1_ps(x); }
MILLINER_INLINE U splat(std::uint32_t x) { return (U)_mm256_set1_epi32(static_cast<int>(x)); }
MILLINER_INLINE F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
MILLINER_INLINE F square_root(F x) { return _mm256_sqrt_ps(x); }

// Only lanes whose mask is set are read (the others are +0) or written; masked-off addresses cannot fault.
MILLINER_INLINE F load_lanes(const float* p, I mask) { return _mm256_maskload_ps(p, (__m256i)mask); }
MILLINER_INLINE void store_lanes(float* p, F v, I mask) { _mm256_maskstore_ps(p, (__m256i)mask, v); }

// high:low = a * m, 32 x 32 -> 64 bits in every lane.
MILLINER_INLINE void multiply_wide(U a, std::uint32_t m, U& high, U& low) {
  const __m256i factor = _mm256_set1_epi32(static_cast<int>(m));
  const __m256i even = _mm256_mul_epu32((__m256i)a, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), factor);
  high = (U)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  low = (U)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

// a0 b0 a1 b1 ... of the low and of the high halves.
MILLINER_INLINE U zip_low(U a, U b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
MILLINER_INLINE U zip_high(U a, U b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }

// Lanes 4 q .. 4 q + 3 = p[q * stride .. + 3].
MILLINER_INLINE F load_quads(const float* p, Index stride) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
}

// A transpose of 4 x 4 in every 4 lanes: lane 4 q + i of the j-th is lane 4 q + j of what was the i-th.
MILLINER_INLINE void transpose_quads(F& a, F& b, F& c, F& d) {
  const F ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
  const F cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
  const F ef = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  const F gh = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  a = __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13);
  b = __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
  c = __builtin_shufflevector(ef, gh, 0, 1, 8, 9, 4, 5, 12, 13);
  d = __builtin_shufflevector(ef, gh, 2, 3, 10, 11, 6, 7, 14, 15);
}

// Byte i of of[mask] is the lane of the i-th bit that is set in mask.
struct SetLanes {
  std::uint64_t of[256] = {};
  constexpr SetLanes() {
    for (unsigned mask = 0; mask < 256; mask++)
      for (unsigned lane = 0, at = 0; lane < 8; lane++)
        if (mask >> lane & 1) {
          of[mask] |= std::uint64_t{lane} << at;
          at += 8;
        }
  }
};
constexpr SetLanes kSetLanes;

// Moves the lanes whose mask is set to the front, in their order; the others become arbitrary. Returns how
// many they are.
MILLINER_INLINE Index pack_lanes(I mask, U& a, U& b) {
  const auto bits = static_cast<unsigned>(_mm256_movemask_ps((__m256)mask));
  const __m256i order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kSetLanes.of[bits])));
  a = (U)_mm256_permutevar8x32_epi32((__m256i)a, order);
  b = (U)_mm256_permutevar8x32_epi32((__m256i)b, order);
  return __builtin_popcount(bits);
}

} // namespace
} // namespace milliner::MILLINER_SET
