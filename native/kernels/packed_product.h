// A product large enough that copying both factors pays: everything the tiles read lies in their order.
//
//   c[i][j] = sum over t of a[i * lda + t] * b(t, j)      i < rows, j in [begin, end)
//
// Panels of b, a block of the chain long and up to kPackedColumns columns wide, are packed once; a block of
// rows of a stays in L2 while all panels meet it, one panel in L1 while all tiles of the block do (the order
// of BLIS: Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", 2015).
// Partial chains lie in c between the blocks of a chain. Adding +0 to one changes nothing but the sign of a
// zero, which the end makes + anyway, so every block may do it.
#pragma once

#include "kernels/micro_kernel.h"
#include "kernels/panels.h"

namespace milliner::MILLINER_SET {
namespace {

// One tile of c from rows of a and a panel of b, whose rows are ldb apart.
template <int M, Fetch kFetch>
__attribute__((noinline)) void product_tile(Index length, const float* a, Index lda, const float* b,
                                            Index ldb, float* c, Index ldc, bool first, Ahead ahead) {
  F tile[M][kVectors];
  if (first)
    clear(tile);
  else
    load_tile(tile, c, ldc);
  run_chains<M, kVectors, kFetch>(length, a, lda, b, ldb, tile, ahead);
  add_zero(tile);
  store_tile(tile, c, ldc);
}

// The same for the first columns of a tile only.
template <int M>
__attribute__((noinline)) void product_lanes_of_tile(Index length, const float* a, Index lda, const float* b,
                                                     float* c, Index ldc, bool first, Index columns) {
  F tile[M][kVectors];
  clear(tile);
  if (!first)
    load_columns(tile, c, ldc, columns);
  run_chains<M, kVectors>(length, a, lda, b, kColumns, tile);
  add_zero(tile);
  store_columns(tile, c, ldc, columns);
}

// copy[i * ld + t] = a[i * lda + t]: rows of a block, apart in the cache sets.
inline void copy_rows(const float* a, Index lda, Index rows, Index length, float* copy, Index ld) {
  for (Index i = 0; i < rows; i++)
    for_vectors(0, length, [&](Index t, Index lanes) {
      store_first(copy + i * ld + t, load_first(a + i * lda + t, lanes), lanes);
    });
}

// What a tile will load first and store at its end, while the tile before it runs.
MILLINER_INLINE void fetch_tile(const float* c, Index ldc) {
  MILLINER_UNROLL for (int i = 0; i < kRows; i++) __builtin_prefetch(c + i * ldc, 1, 3);
}

// Whether copying pays, by the rows of a and the stride of the matrix behind b.
constexpr bool is_packed(Index rows, Index stride) {
  return rows >= (is_crowded(stride) ? kPackedFromCrowded : kPackedFrom);
}

// Rows in a block: as even as whole tiles allow.
constexpr Index packed_rows(Index rows) {
  return round_up(ceil_div(rows, larger(ceil_div(rows, kPackedRows), 1)), kRows);
}

// Columns whose panels lie packed at the same time: a group where every panel meets all rows at once, more
// where other blocks of rows meet them later.
constexpr Index packed_columns(Index rows) { return rows > kPackedRows ? kPackedColumns : kPackedGroup; }

// Floats of scratch.
constexpr std::size_t packed_workspace(Index rows) {
  return static_cast<std::size_t>(packed_rows(rows) * spread_stride(kPackedChain) +
                                  packed_columns(rows) * kPackedChain);
}

// All tiles of a block of rows, copied to `a`, with the panels of columns [j0, j1).
template <Fetch kFetch>
inline void packed_tiles(const float* a, Index lda, Index rows, Index length, const float* panels, float* c,
                         Index ldc, Index j0, Index j1, bool first) {
  for (Index j = j0; j < j1; j += kColumns) {
    const Index columns = smaller(kColumns, j1 - j);
    const float* panel = panels + (j - j0) * length;
    // Every tile fetches its share of the next panel until it is there.
    const float* next = panel + length * kColumns;
    const float* next_end = j + kColumns < j1 ? next + length * kColumns : next;
    for (Index i = 0; i < rows; i += kRows) {
      const Index count = smaller(kRows, rows - i);
      float* tile = c + i * ldc + j;
      if (columns < kColumns) {
        with_rows(count, [&]<int M>() {
          product_lanes_of_tile<M>(length, a + i * lda, lda, panel, tile, ldc, first, columns);
        });
        continue;
      }
      if (i + 2 * kRows <= rows)
        fetch_tile(tile + kRows * ldc, ldc);
      if (count == kRows && kFetch != Fetch::nothing && next < next_end) {
        product_tile<kRows, kFetch>(length, a + i * lda, lda, panel, kColumns, tile, ldc, first,
                                    {next, 16, kFetchGroups * 3 * 16});
        next += length / kFetchSteps * 3 * 16;
      } else {
        with_rows(count, [&]<int M>() {
          product_tile<M, Fetch::nothing>(length, a + i * lda, lda, panel, kColumns, tile, ldc, first, {});
        });
      }
    }
  }
}

// pack(t0, length, j0, j1, panels): panel p, length * kColumns floats, holds columns j0 + p * kColumns on,
// up to j1, zero-padded.
// finish(i0, i1, j0, j1): these elements of c have their whole chains.
template <class Pack, class Finish>
MILLINER_INLINE void packed_product(const float* a, Index lda, Index rows, Index chain, float* c, Index ldc,
                                    Index begin, Index end, float* workspace, const Pack& pack,
                                    const Finish& finish) {
  const Index block = even_blocks(chain, kPackedChain), ld = spread_stride(block);
  const Index rows_block = packed_rows(rows);
  const bool once = rows <= kPackedRows;
  float* copy = workspace;
  float* panels = workspace + rows_block * spread_stride(kPackedChain);
  const Index width = once ? end - begin : kPackedColumns;
  for (Index j0 = begin; j0 < end; j0 += width) {
    const Index j1 = smaller(j0 + width, end);
    Index t0 = 0;
    do { // once also for an empty chain: it is then +0
      const Index length = smaller(block, chain - t0);
      const bool first = t0 == 0, last = t0 + length == chain;
      for (Index i0 = 0; i0 < rows; i0 += rows_block) {
        const Index count = smaller(rows_block, rows - i0);
        copy_rows(a + i0 * lda + t0, lda, count, length, copy, ld);
        // The first block of rows packs a group of panels and meets it while it is in L2.
        for (Index group = j0; group < j1; group += kPackedGroup) {
          const Index group_end = smaller(group + kPackedGroup, j1);
          float* at = once ? panels : panels + (group - j0) * length;
          if (i0 == 0) {
            pack(t0, length, group, group_end, at);
            packed_tiles<Fetch::nothing>(copy, ld, count, length, at, c + i0 * ldc, ldc, group, group_end,
                                         first);
          } else {
            packed_tiles<Fetch::to_read>(copy, ld, count, length, at, c + i0 * ldc, ldc, group, group_end,
                                         first);
          }
          if (last)
            finish(i0, i0 + count, group, group_end);
        }
      }
      t0 += length;
    } while (t0 < chain);
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
