// Philox4x32-10 on kLanes blocks at a time. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", 2011.
//
// Block (unit >> 2, row, step, stream) under key (seed low, seed high) gives the words of 4 neighbouring
// units, so a word depends on the position of its element alone: any order, any thread, any instruction set.
#pragma once

#include "kernels/dropout.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// words[i] = word of unit `first + i` in `row`, i < count rounded up to 4 * kLanes. `first` is a multiple
// of 4.
inline void philox_row(const Random& random, std::uint32_t row, Index first, Index count,
                       std::uint32_t* words) {
  for (Index i = 0; i < count; i += 4 * kLanes) {
    U c0 = splat(static_cast<std::uint32_t>((first + i) >> 2)) + lane_numbers();
    U c1 = splat(row), c2 = splat(random.step), c3 = splat(random.stream);
    std::uint32_t k0 = random.seed_low, k1 = random.seed_high;
    for (int round = 0; round < 10; round++) {
      U high0, low0, high2, low2;
      multiply_wide(c0, 0xD2511F53u, high0, low0);
      multiply_wide(c2, 0xCD9E8D57u, high2, low2);
      c0 = high2 ^ c1 ^ splat(k0);
      c2 = high0 ^ c3 ^ splat(k1);
      c1 = low2;
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    // Lane b holds the 4 words of block b; interleave them into the order of the units.
    const U even_low = zip_low(c0, c2), odd_low = zip_low(c1, c3);
    const U even_high = zip_high(c0, c2), odd_high = zip_high(c1, c3);
    store(words + i, zip_low(even_low, odd_low));
    store(words + i + kLanes, zip_high(even_low, odd_low));
    store(words + i + 2 * kLanes, zip_low(even_high, odd_high));
    store(words + i + 3 * kLanes, zip_high(even_high, odd_high));
  }
}

// Words that philox_row may write for `count` units.
constexpr Index philox_words(Index count) { return round_up(count, 4 * kLanes); }

// The keep decision of dropout, made once per call.
struct Keep {
  U below; // a unit is kept where its word is less than this ...
  I all;   // ... or everywhere, for keep = 1, whose threshold 2^32 is no 32-bit word
  F scale; // 1 / keep, rounded to float32 from double
};

MILLINER_INLINE Keep keep_of(double keep) {
  const auto threshold = static_cast<std::uint64_t>(keep * 4294967296.0);
  const bool all = threshold > 0xFFFFFFFFu;
  return {splat(static_cast<std::uint32_t>(threshold)), all ? ~I{} : I{},
          splat(static_cast<float>(1.0 / keep))};
}

// v * scale where the unit is kept, +0 elsewhere.
MILLINER_INLINE F drop(const Keep& keep, U words, F v) {
  return ((words < keep.below) | keep.all) ? v * keep.scale : F{};
}

} // namespace
} // namespace milliner::MILLINER_SET
