// NEON of arm64: what the compiler's vector operators cannot say.
#pragma once

#include <arm_neon.h>

namespace milliner::MILLINER_SET {
namespace {

MILLINER_INLINE F splat(float x) { return vdupq_n_f32(x); }
MILLINER_INLINE U splat(std::uint32_t x) { return vdupq_n_u32(x); }
MILLINER_INLINE F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
MILLINER_INLINE F square_root(F x) { return vsqrtq_f32(x); }

// Only lanes whose mask is set are read (the others are +0) or written.
// NEON has no masked access: lane by lane.
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

// high:low = a * m, 32 x 32 -> 64 bits in every lane.
MILLINER_INLINE void multiply_wide(U a, std::uint32_t m, U& high, U& low) {
  const uint32x2_t factor = vdup_n_u32(m);
  const uint32x4_t first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), factor));
  const uint32x4_t second = vreinterpretq_u32_u64(vmull_u32(vget_high_u32(a), factor));
  low = vuzp1q_u32(first, second);
  high = vuzp2q_u32(first, second);
}

// a0 b0 a1 b1 ... of the low and of the high halves.
MILLINER_INLINE U zip_low(U a, U b) { return vzip1q_u32(a, b); }
MILLINER_INLINE U zip_high(U a, U b) { return vzip2q_u32(a, b); }

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

// Bytes of the lanes of the bits that are set in a mask, in their order.
struct SetLanes {
  std::uint8_t of[16][16] = {};
  constexpr SetLanes() {
    for (int mask = 0; mask < 16; mask++)
      for (int lane = 0, at = 0; lane < 4; lane++)
        if (mask >> lane & 1)
          for (int byte = 0; byte < 4; byte++)
            of[mask][at++] = static_cast<std::uint8_t>(4 * lane + byte);
  }
};
constexpr SetLanes kSetLanes;

// Moves the lanes whose mask is set to the front, in their order; the others become arbitrary. Returns how
// many they are.
MILLINER_INLINE Index pack_lanes(I mask, U& a, U& b) {
  const std::uint32_t bits = vaddvq_u32((U)mask & U{1, 2, 4, 8});
  const uint8x16_t order = vld1q_u8(kSetLanes.of[bits]);
  a = (U)vqtbl1q_u8((uint8x16_t)a, order);
  b = (U)vqtbl1q_u8((uint8x16_t)b, order);
  return __builtin_popcount(bits);
}

} // namespace
} // namespace milliner::MILLINER_SET
