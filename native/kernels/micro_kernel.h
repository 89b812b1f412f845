// The one inner loop of all products: a tile of M x (V * kLanes) outputs in registers while their chains run.
//
//   tile[i][j] = fma(a[i * lda + t], b[t * ldb + j], tile[i][j])      t = 0 .. length - 1, ascending
//
// a: M rows, contiguous along the chain. b: rows of V * kLanes floats, one for each step of the chain.
//
// One chain per output: lanes hold different outputs, and nothing here sums two chains. A tile stays in
// registers only if every index into it is a constant (MILLINER_UNROLL): one loop that is left rolled, and it
// is copied out and in around the chain, as much work as 2 steps.
#pragma once

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// What the next tile will read, fetched while this one computes: 3 lines every 32 steps. The rows are those
// of a tile (at, at + stride, ...), 3 of them at a time, then `step` floats further. Measured on Zen 3 at
// 64x2000x2000: without 71 to 77 % of the peak, in one burst 80 to 85 %, spread 83 to 91 %.
enum class Fetch { nothing, to_read, to_write };

struct Ahead {
  const float* at; // may point past the last row: a prefetch never faults
  Index stride;
  Index step;
};

constexpr Index kFetchSteps = 32;
constexpr Index kFetchGroups = kRows >= 3 ? kRows / 3 : 1;

template <Fetch kFetch> MILLINER_INLINE void fetch_ahead(const Ahead& ahead, Index chunk) {
  if constexpr (kFetch != Fetch::nothing) {
    constexpr int kWrite = kFetch == Fetch::to_write ? 1 : 0;
    const float* p =
        ahead.at + (chunk % kFetchGroups) * 3 * ahead.stride + (chunk / kFetchGroups) * ahead.step;
    __builtin_prefetch(p, kWrite, 2);
    __builtin_prefetch(p + ahead.stride, kWrite, 2);
    __builtin_prefetch(p + 2 * ahead.stride, kWrite, 2);
  }
}

template <int M, int V> MILLINER_INLINE void clear(F (&tile)[M][V]) {
  MILLINER_UNROLL for (int i = 0; i < M; i++) {
    MILLINER_UNROLL for (int j = 0; j < V; j++) tile[i][j] = F{};
  }
}

// Partial chains, in rows `stride` apart.
template <int M, int V> MILLINER_INLINE void load_tile(F (&tile)[M][V], const float* from, Index stride) {
  MILLINER_UNROLL for (int i = 0; i < M; i++) {
    MILLINER_UNROLL for (int j = 0; j < V; j++) tile[i][j] = load(from + i * stride + j * kLanes);
  }
}

template <int M, int V> MILLINER_INLINE void store_tile(const F (&tile)[M][V], float* to, Index stride) {
  MILLINER_UNROLL for (int i = 0; i < M; i++) {
    MILLINER_UNROLL for (int j = 0; j < V; j++) store(to + i * stride + j * kLanes, tile[i][j]);
  }
}

// The same for the first `columns` lanes only, 0 < columns <= V * kLanes: memory beyond is not touched.
template <int M, int V>
MILLINER_INLINE void load_columns(F (&tile)[M][V], const float* from, Index stride, Index columns) {
  MILLINER_UNROLL for (int j = 0; j < V; j++) {
    const Index lanes = smaller(kLanes, columns - j * kLanes);
    if (lanes <= 0)
      break;
    MILLINER_UNROLL for (int i = 0; i < M; i++) tile[i][j] =
        load_first(from + i * stride + j * kLanes, lanes);
  }
}

template <int M, int V>
MILLINER_INLINE void store_columns(const F (&tile)[M][V], float* to, Index stride, Index columns) {
  MILLINER_UNROLL for (int j = 0; j < V; j++) {
    const Index lanes = smaller(kLanes, columns - j * kLanes);
    if (lanes <= 0)
      break;
    MILLINER_UNROLL for (int i = 0; i < M; i++) store_first(to + i * stride + j * kLanes, tile[i][j], lanes);
  }
}

// The end of a chain: a -0 that flushing has left becomes +0.
template <int M, int V> MILLINER_INLINE void add_zero(F (&tile)[M][V]) {
  MILLINER_UNROLL for (int i = 0; i < M; i++) {
    MILLINER_UNROLL for (int j = 0; j < V; j++) tile[i][j] = tile[i][j] + F{};
  }
}

// Rows are addressed as base + {0, 1, 2} * lda from a base for every 3 rows:
// x86 scales an index by 1 and 2 only.
template <int M> struct RowBases {
  const float* base[(M + 2) / 3];

  MILLINER_INLINE RowBases(const float* a, Index lda) {
    MILLINER_UNROLL for (int i = 0; i < (M + 2) / 3; i++) base[i] = a + 3 * i * lda;
  }
};

// One step of all chains of the tile.
template <int M, int V>
MILLINER_INLINE void step_chains(RowBases<M>& rows, Index lda, const float* b, F (&tile)[M][V]) {
  F columns[V];
  MILLINER_UNROLL for (int j = 0; j < V; j++) columns[j] = load(b + j * kLanes);
  MILLINER_UNROLL for (int i = 0; i < M; i++) {
    const F row = splat(rows.base[i / 3][(i % 3) * lda]);
    MILLINER_UNROLL for (int j = 0; j < V; j++) tile[i][j] = fma(row, columns[j], tile[i][j]);
  }
  MILLINER_UNROLL for (int i = 0; i < (M + 2) / 3; i++) rows.base[i]++;
}

template <int M, int V, Fetch kFetch = Fetch::nothing>
MILLINER_INLINE void run_chains(Index length, const float* a, Index lda, const float* b, Index ldb,
                                F (&tile)[M][V], Ahead ahead = {}) {
  RowBases<M> rows(a, lda);
  Index t = 0;
  for (Index chunk = 0; t + kFetchSteps <= length; chunk++, t += kFetchSteps) {
    fetch_ahead<kFetch>(ahead, chunk);
    // By 4: as fast as any other in L1, and 1 to 2 % faster where the chain has only 2 of these groups.
#pragma GCC unroll 4
    for (Index i = 0; i < kFetchSteps; i++, b += ldb)
      step_chains(rows, lda, b, tile);
  }
  for (; t < length; t++, b += ldb)
    step_chains(rows, lda, b, tile);
}

// The same for a b that is not in a cache yet: every step fetches the row of b `kRowsAhead` steps further.
template <int M, int V, Index kRowsAhead>
MILLINER_INLINE void run_chains_fetching_panel(Index length, const float* a, Index lda, const float* b,
                                               Index ldb, F (&tile)[M][V]) {
  RowBases<M> rows(a, lda);
  for (Index t = 0; t < length; t++, b += ldb) {
    __builtin_prefetch(b + kRowsAhead * ldb, 0, 3);
    step_chains(rows, lda, b, tile);
  }
}

// Calls body.operator()<rows>() with the number of rows as a constant,
// so that every remainder has its own tile.
template <int M = kRows, class Body> MILLINER_INLINE void with_rows(Index rows, const Body& body) {
  if (rows == M) {
    body.template operator()<M>();
    return;
  }
  if constexpr (M > 1)
    with_rows<M - 1>(rows, body);
}

} // namespace
} // namespace milliner::MILLINER_SET
