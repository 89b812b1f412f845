// Chains whose lanes are rows of a row-major matrix, as it lies: for a few rows of the batch.
//
//   tile[i][j] = fma(x[i * ldx + t], w[row j * ldw + t], tile[i][j])      t = 0 .. length - 1, ascending
//
// 4 steps of kLanes rows are transposed in registers, then take part in every row of x: the matrix is read
// once and no copy of it is made. Loads of 4 floats put the rows where only shuffles inside 4 lanes remain.
#pragma once

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// N rows of x against V * kLanes rows of w. Meanwhile the memory at `next`, as much as these rows hold, is
// fetched into L2 in its own order. Measured on Zen 4 at 1x2000x2000 under load: 1.1 times as fast with it;
// 24 rows of w at a time are 1.1 times as fast on an idle machine, but 0.9 times as fast on a busy one.
template <int N, int V>
MILLINER_INLINE void run_row_chains(Index length, const float* x, Index ldx, const float* w, Index ldw,
                                    F (&tile)[N][V], const float* next) {
  Index t = 0;
  for (; t + 4 <= length; t += 4, w += 4, x += 4, next += 4 * V * kLanes) {
    F columns[V][4];
    MILLINER_UNROLL for (int v = 0; v < V; v++) {
      const float* at = w + v * kLanes * ldw;
      MILLINER_UNROLL for (int i = 0; i < kLanes; i += 4)
          __builtin_prefetch(next + 4 * (v * kLanes + i), 0, 2);
      // Lane 4 q + i is row 4 q + i: the i-th load takes rows i, 4 + i, 8 + i, ...
      MILLINER_UNROLL for (int i = 0; i < 4; i++) columns[v][i] = load_quads(at + i * ldw, 4 * ldw);
      transpose_quads(columns[v][0], columns[v][1], columns[v][2], columns[v][3]);
      if constexpr (N == 1) // at once: registers for the columns of one vector only
        MILLINER_UNROLL for (int c = 0; c < 4; c++) tile[0][v] = fma(splat(x[c]), columns[v][c], tile[0][v]);
    }
    if constexpr (N > 1)
      MILLINER_UNROLL for (int i = 0; i < N; i++) {
        MILLINER_UNROLL for (int c = 0; c < 4; c++) {
          const F row = splat(x[i * ldx + c]);
          MILLINER_UNROLL for (int v = 0; v < V; v++) tile[i][v] = fma(row, columns[v][c], tile[i][v]);
        }
      }
  }
  for (; t < length; t++, w++, x++)
    MILLINER_UNROLL for (int v = 0; v < V; v++) {
      float column[kLanes];
      for (int lane = 0; lane < kLanes; lane++)
        column[lane] = w[(v * kLanes + lane) * ldw];
      const F column_lanes = load(column);
      MILLINER_UNROLL for (int i = 0; i < N; i++) tile[i][v] =
          fma(splat(x[i * ldx]), column_lanes, tile[i][v]);
    }
}

} // namespace
} // namespace milliner::MILLINER_SET
