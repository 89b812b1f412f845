// Philox4x32-10 on kLanes blocks at a time.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
//
// Block (unit >> 2, row, step, stream) under key (seed low, seed high) gives the words of 4 neighbouring
// units, so a word depends on the position of its element alone: any order, any thread, any instruction set.
#pragma once

#include "kernels/dropout.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// The words of N * 4 * kLanes units from `first` on. The rounds of a block wait for each other: two are taken
// together, so that one computes while the other waits.
template <int N>
MILLINER_INLINE void philox_blocks(const Random& random, std::uint32_t row, Index first,
                                   std::uint32_t* words) {
  U c0[N], c1[N], c2[N], c3[N];
  MILLINER_UNROLL for (int n = 0; n < N; n++) {
    c0[n] = splat(static_cast<std::uint32_t>(first >> 2) + static_cast<std::uint32_t>(n * kLanes)) +
            lane_numbers();
    c1[n] = splat(row), c2[n] = splat(random.step), c3[n] = splat(random.stream);
  }
  std::uint32_t k0 = random.seed_low, k1 = random.seed_high;
  for (int round = 0; round < 10; round++) {
    MILLINER_UNROLL for (int n = 0; n < N; n++) {
      U high0, low0, high2, low2;
      multiply_wide(c0[n], 0xD2511F53u, high0, low0);
      multiply_wide(c2[n], 0xCD9E8D57u, high2, low2);
      c0[n] = high2 ^ c1[n] ^ splat(k0);
      c2[n] = high0 ^ c3[n] ^ splat(k1);
      c1[n] = low2;
      c3[n] = low0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  // Lane b holds the 4 words of block b; interleave them into the order of the units.
  MILLINER_UNROLL for (int n = 0; n < N; n++) {
    const U even_low = zip_low(c0[n], c2[n]), odd_low = zip_low(c1[n], c3[n]);
    const U even_high = zip_high(c0[n], c2[n]), odd_high = zip_high(c1[n], c3[n]);
    std::uint32_t* at = words + n * 4 * kLanes;
    store(at, zip_low(even_low, odd_low));
    store(at + kLanes, zip_high(even_low, odd_low));
    store(at + 2 * kLanes, zip_low(even_high, odd_high));
    store(at + 3 * kLanes, zip_high(even_high, odd_high));
  }
}

// words[i] = word of unit `first + i` in `row`, i < count rounded up to 4 * kLanes.
// `first` is a multiple of 4.
inline void philox_row(const Random& random, std::uint32_t row, Index first, Index count,
                       std::uint32_t* words) {
  Index i = 0;
  for (; i + 4 * kLanes < count; i += 8 * kLanes)
    philox_blocks<2>(random, row, first + i, words + i);
  if (i < count)
    philox_blocks<1>(random, row, first + i, words + i);
}

// Words that philox_row may write for `count` units.
constexpr Index philox_words(Index count) { return round_up(count, 4 * kLanes); }

// The same for units of any numbers, ascending: words[i] = word of unit numbers[i] in `row`, i < count.
// Blocks are made for kLanes * 8 units at a time, and only where one of them is listed.
inline void philox_listed(const Random& random, std::uint32_t row, const std::uint32_t* numbers, Index count,
                          std::uint32_t* words) {
  constexpr Index kPiece = 8 * kLanes;
  std::uint32_t piece[kPiece];
  for (Index i = 0; i < count;) {
    const auto first = static_cast<Index>(numbers[i]) & ~Index{3}; // blocks begin at multiples of 4
    philox_row(random, row, first, kPiece, piece);
    for (; i < count && static_cast<Index>(numbers[i]) < first + kPiece; i++)
      words[i] = piece[static_cast<Index>(numbers[i]) - first];
  }
}

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
