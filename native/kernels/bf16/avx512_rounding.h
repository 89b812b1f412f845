// The rounding of tile_unit.h by AVX512-BF16.
#pragma once

namespace milliner::MILLINER_SET {
namespace {

MILLINER_INLINE F first_of(const float* from, Index count) {
  return load_first(from, smaller(larger(count, 0), kLanes));
}

MILLINER_INLINE void round_row(const float* from, Index count, float* to) {
  const __m512 low = first_of(from, count), high = first_of(count > 16 ? from + 16 : from, count - 16);
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

MILLINER_INLINE void round_pairs(const float* even, const float* odd, Index count, float* to) {
  const __m512 low = first_of(even, count), high = odd ? first_of(odd, count) : F{};
  const __m512i apart = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  // 0 16 1 17 2 18 ...
  const __m512i order =
      _mm512_add_epi32(_mm512_mullo_epi32((__m512i)lane_numbers(), _mm512_set1_epi32(0x00010001)),
                       _mm512_set1_epi32(16 << 16));
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, apart));
}

} // namespace
} // namespace milliner::MILLINER_SET
