// Rearranging operands for the tiles: transposes and zero-padded panels of kColumns lanes.
#pragma once

#include "kernels/finite.h"

namespace milliner::MILLINER_SET {
namespace {

using F4 = float __attribute__((vector_size(16)));
using F4Any = float __attribute__((vector_size(16), aligned(4), may_alias));

// to[c][r] = from[r * ldf + c] for a 4 x 4 block, in registers.
MILLINER_INLINE void transpose_4x4_apart(const float* from, Index ldf, float* to0, float* to1, float* to2,
                                         float* to3) {
  const F4 a = *reinterpret_cast<const F4Any*>(from), b = *reinterpret_cast<const F4Any*>(from + ldf);
  const F4 c = *reinterpret_cast<const F4Any*>(from + 2 * ldf),
           d = *reinterpret_cast<const F4Any*>(from + 3 * ldf);
  const F4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const F4 ef = __builtin_shufflevector(a, b, 2, 6, 3, 7), gh = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *reinterpret_cast<F4Any*>(to0) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  *reinterpret_cast<F4Any*>(to1) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  *reinterpret_cast<F4Any*>(to2) = __builtin_shufflevector(ef, gh, 0, 1, 4, 5);
  *reinterpret_cast<F4Any*>(to3) = __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
}

// The same with rows of `to` ldt apart.
MILLINER_INLINE void transpose_4x4(const float* from, Index ldf, float* to, Index ldt) {
  transpose_4x4_apart(from, ldf, to, to + ldt, to + 2 * ldt, to + 3 * ldt);
}

// to[c * ldt + r] = from[r * ldf + c], r < rows, c < columns.
inline void transpose(const float* from, Index ldf, Index rows, Index columns, float* to, Index ldt) {
  Index r = 0;
  for (; r + 4 <= rows; r += 4) {
    Index c = 0;
    for (; c + 4 <= columns; c += 4)
      transpose_4x4(from + r * ldf + c, ldf, to + c * ldt + r, ldt);
    for (; c < columns; c++)
      for (int i = 0; i < 4; i++)
        to[c * ldt + r + i] = from[(r + i) * ldf + c];
  }
  for (; r < rows; r++)
    for (Index c = 0; c < columns; c++)
      to[c * ldt + r] = from[r * ldf + c];
}

// panel[t * ld + lane] = from[lane * ldf + t], t < length, lane < all; lanes from `lanes` on are +0. `watch` sees
// all that is packed.
template <class Watching = NoWatch>
inline void pack_transposed(const float* from, Index ldf, Index lanes, Index length, float* panel,
                            Index ld = kColumns, Index all = kColumns, Watching&& watch = {}) {
  if (lanes == kColumns) {
    constexpr Index kLine = 16; // steps whose cache lines are read whole, one vector of lanes after the other
    Index t = 0;
    for (; t + kLine <= length; t += kLine)
      for (Index lane = 0; lane < kColumns; lane += kLanes)
        MILLINER_UNROLL for (Index q = 0; q < kLine; q += 4) {
          // Lane 4 q + i is row 4 q + i: the i-th load takes rows i, 4 + i, 8 + i, ...
          const float* at = from + lane * ldf + t + q;
          F a = load_quads(at, 4 * ldf), b = load_quads(at + ldf, 4 * ldf);
          F c = load_quads(at + 2 * ldf, 4 * ldf), d = load_quads(at + 3 * ldf, 4 * ldf);
          watch.see(a, 0), watch.see(b, 1), watch.see(c, 2), watch.see(d, 3);
          transpose_quads(a, b, c, d);
          float* to = panel + (t + q) * ld + lane;
          store(to, a);
          store(to + ld, b);
          store(to + 2 * ld, c);
          store(to + 3 * ld, d);
        }
    for (; t < length; t++) {
      for (Index lane = 0; lane < kColumns; lane++)
        panel[t * ld + lane] = from[lane * ldf + t];
      for (Index lane = 0; lane < kColumns; lane += kLanes)
        watch.see(load(panel + t * ld + lane), 0);
    }
    return;
  }
  transpose(from, ldf, lanes, length, panel, ld);
  for (Index t = 0; t < length; t++) {
    for (Index lane = lanes; lane < all; lane++)
      panel[t * ld + lane] = 0;
    for_vectors(0, lanes,
                [&](Index lane, Index count) { watch.see(load_first(panel + t * ld + lane, count), 0); });
  }
}

// panel[t * kColumns + lane] = from[t * ldf + lane], t < length; lanes from `lanes` on are +0.
inline void pack_rows(const float* from, Index ldf, Index lanes, Index length, float* panel) {
  for (Index t = 0; t < length; t++, from += ldf, panel += kColumns)
    for (Index lane = 0; lane < kColumns; lane += kLanes) {
      const Index count = smaller(larger(lanes - lane, 0), kLanes);
      store(panel + lane, load_first(from + (count > 0 ? lane : 0), count));
    }
}

// Rows `stride` floats apart, a multiple of 1 KiB, fall into few sets of L1 and L2.
constexpr bool is_crowded(Index stride) { return stride % 256 == 0; }

// A row stride, at least `length`, whose neighbouring rows fall into different sets of L1: a multiple of a
// cache line, but not of 1 KiB (kernels.md 2.2: 80 -> 88 % of the peak).
constexpr Index spread_stride(Index length) {
  const Index stride = round_up(length, 16);
  return is_crowded(stride) ? stride + 16 : stride;
}

} // namespace
} // namespace milliner::MILLINER_SET
