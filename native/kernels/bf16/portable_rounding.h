// The rounding of tile_unit.h in portable C++.
#pragma once

namespace milliner::MILLINER_SET {
namespace {

// The nearest bf16 in the lower half of a word.
inline std::uint32_t rounded(const float* from) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, from, 4);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude < 0x00800000u) // zero or subnormal
    return bits >> 31 << 15;
  if (magnitude > 0x7F800000u) // NaN
    return bits >> 16 | 0x0040u;
  return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

inline void round_row(const float* from, Index count, float* to) {
  for (Index j = 0; j < kTileSide; j++) {
    const std::uint32_t pair = (2 * j < count ? rounded(from + 2 * j) : 0u) |
                               (2 * j + 1 < count ? rounded(from + 2 * j + 1) : 0u) << 16;
    __builtin_memcpy(to + j, &pair, 4);
  }
}

inline void round_pairs(const float* even, const float* odd, Index count, float* to) {
  for (Index j = 0; j < kTileSide; j++) {
    const std::uint32_t pair = j < count ? rounded(even + j) | (odd ? rounded(odd + j) << 16 : 0u) : 0u;
    __builtin_memcpy(to + j, &pair, 4);
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
