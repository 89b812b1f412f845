// The inner loop of all bf16 products, and operands in its layout.
//
// A strip is 16 rows of a left operand or 16 columns of a right one, rounded to bf16: one tile of 1 KiB for
// every 32 terms of the contraction, one behind the other. What a strip lacks in rows, columns or terms is +0
// on both sides, so that it adds exact zeros, also where the other side is infinite.
#pragma once

#include "kernels/bf16/tile_unit.h"
#include "kernels/panels.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kBlockSide = 2 * kTileSide; // rows and columns of a block of sums: 2 x 2 tiles

constexpr Index tile_steps(Index terms) { return ceil_div(terms, kTileDepth); }
constexpr Index strips(Index length) { return ceil_div(length, kTileSide); }

// Strips [i] of a and [j] of b begin lda and ldb floats apart; c[16 i ..][16 j ..] += a[i] b[j].
template <int M, int N>
MILLINER_INLINE void multiply_strips(Tiles& tiles, Index steps, const float* a, Index lda, const float* b,
                                     Index ldb, float* c, Index ldc, bool first) {
  const auto each_sum = [&](const auto& body) {
    body.template operator()<0, 0>();
    if constexpr (N > 1)
      body.template operator()<0, 1>();
    if constexpr (M > 1)
      body.template operator()<1, 0>();
    if constexpr (M > 1 && N > 1)
      body.template operator()<1, 1>();
  };
  each_sum([&]<int I, int J>() {
    if (first)
      tiles.template clear<2 * I + J>();
    else
      tiles.template load<2 * I + J>(c + (I * ldc + J) * kTileSide, ldc);
  });
  for (Index t = 0; t < steps * kTileFloats; t += kTileFloats) {
    tiles.template load<4>(a + t, kTileSide);
    tiles.template load<6>(b + t, kTileSide);
    if constexpr (N > 1)
      tiles.template load<7>(b + ldb + t, kTileSide);
    if constexpr (M > 1)
      tiles.template load<5>(a + lda + t, kTileSide);
    each_sum([&]<int I, int J>() { tiles.template multiply<2 * I + J, 4 + I, 6 + J>(); });
  }
  each_sum([&]<int I, int J>() { tiles.template store<2 * I + J>(c + (I * ldc + J) * kTileSide, ldc); });
}

// The same for 1 or 2 strips on either side, as many as `rows` and `columns`, at most 32, fill.
MILLINER_INLINE void multiply_block(Tiles& tiles, Index rows, Index columns, Index steps, const float* a,
                                    Index lda, const float* b, Index ldb, float* c, Index ldc, bool first) {
  if (rows > kTileSide && columns > kTileSide)
    multiply_strips<2, 2>(tiles, steps, a, lda, b, ldb, c, ldc, first);
  else if (rows > kTileSide)
    multiply_strips<2, 1>(tiles, steps, a, lda, b, ldb, c, ldc, first);
  else if (columns > kTileSide)
    multiply_strips<1, 2>(tiles, steps, a, lda, b, ldb, c, ldc, first);
  else
    multiply_strips<1, 1>(tiles, steps, a, lda, b, ldb, c, ldc, first);
}

// A strip of rows that lie contiguous along the contraction: of a left operand as they are.
MILLINER_INLINE void round_strip(const float* from, Index ld, Index rows, Index terms, float* strip) {
  for (Index t = 0; t < terms; t += kTileDepth, strip += kTileFloats)
    for (Index i = 0; i < kTileSide; i++)
      round_row(from + (i < rows ? i * ld + t : 0), i < rows ? smaller(kTileDepth, terms - t) : 0,
                strip + i * kTileSide);
}

// The same of a right operand, whose tiles have a row for every pair of terms: words of a pair, transposed.
MILLINER_INLINE void round_strip_transposed(const float* from, Index ld, Index rows, Index terms,
                                            float* strip) {
  alignas(64) float tile[kTileFloats];
  for (Index t = 0; t < terms; t += kTileDepth, strip += kTileFloats) {
    round_strip(from + t, ld, rows, smaller(kTileDepth, terms - t), tile);
    for (Index row = 0; row < kTileSide; row += 4)
      for (Index word = 0; word < kTileSide; word += 4)
        transpose_4x4(tile + row * kTileSide + word, kTileSide, strip + word * kTileSide + row, kTileSide);
  }
}

// A strip of a right operand whose columns are contiguous: neighbouring rows are interleaved.
MILLINER_INLINE void round_strip_paired(const float* from, Index ld, Index columns, Index terms,
                                        float* strip) {
  for (Index t = 0; t < round_up(terms, kTileDepth); t += 2, strip += kTileSide, from += 2 * ld)
    if (t < terms)
      round_pairs(from, t + 1 < terms ? from + ld : nullptr, columns, strip);
    else
      round_pairs(strip, nullptr, 0, strip);
}

} // namespace
} // namespace milliner::MILLINER_SET
