// Whole chains of pixels, gathered: for images of few channels, where a run along a row is shorter than what
// a loop around the micro-kernel costs.
#pragma once

#include "kernels/conv2d_frame.h"

namespace milliner::MILLINER_SET {
namespace {

// Runs are copied as whole vectors, so many of them: more than 4 (short vectors only) are as many as the
// longest has.
constexpr Index kMostVectors = ceil_div(kConvolutionRun, kLanes);
constexpr Index copied_vectors(Index run) {
  const Index vectors = ceil_div(run, kLanes);
  return vectors <= 4 ? vectors : kMostVectors;
}

// Floats from patch to patch, with the last run's rest. An odd number of cache lines: neighbouring patches
// fall into different sets of L1.
constexpr Index patch_stride(const Conv2dGeometry& g) {
  const Index run = g.kernel_width * g.in;
  return (ceil_div((g.kernel_height - 1) * run + copied_vectors(run) * kLanes, 16) | 1) * 16;
}

// kVectorsOfRun vectors from each of `count` places to patches.
template <int kVectorsOfRun>
inline void copy_runs(const float* from, Index step, Index count, float* to, Index ld) {
  for (Index i = 0; i < count; i++, from += step, to += ld)
    MILLINER_UNROLL for (int v = 0; v < kVectorsOfRun; v++) store(to + v * kLanes, load(from + v * kLanes));
}

inline void copy_runs(const float* from, Index step, Index count, Index vectors, float* to, Index ld) {
  switch (vectors) {
  case 0:
    return;
  case 1:
    return copy_runs<1>(from, step, count, to, ld);
  case 2:
    return copy_runs<2>(from, step, count, to, ld);
  case 3:
    return copy_runs<3>(from, step, count, to, ld);
  case 4:
    return copy_runs<4>(from, step, count, to, ld);
  default:
    return copy_runs<kMostVectors>(from, step, count, to, ld);
  }
}

// The patches under a row of the output, `ld` apart: whole chains, with zeros for the padding. `end` ends all
// images; memory behind it is not read. Writes patch_stride(g) - 1 floats behind the beginning of a patch
// at most.
inline void gather_patches(const Conv2dGeometry& g, const float* image, const float* end, Index oy, float* to,
                           Index ld) {
  const Index run = g.kernel_width * g.in, out_width = g.out_width(), vectors = copied_vectors(run);
  // Outputs whose window lies inside the row.
  const Index first = smaller(ceil_div(g.pad_x, g.stride_x), out_width);
  const Index room = g.width + g.pad_x - g.kernel_width;
  const Index last = larger(first, room < 0 ? 0 : smaller(room / g.stride_x + 1, out_width));
  for (Index r = 0; r < g.kernel_height; r++, to += run) {
    const Index iy = oy * g.stride_y - g.pad_y + r;
    const bool inside = iy >= 0 && iy < g.height;
    const float* row = image + iy * g.width * g.in;
    const auto slowly = [&](Index ox) {
      for (Index i = 0; i < run; i++) {
        const Index at = (ox * g.stride_x - g.pad_x) * g.in + i;
        to[ox * ld + i] = inside && at >= 0 && at < g.width * g.in ? row[at] : 0.0f;
      }
    };
    const Index step = g.stride_x * g.in;
    Index fast = inside ? last : first; // whole vectors may be read up to here
    while (fast > first && row + (fast - 1) * step - g.pad_x * g.in + vectors * kLanes > end)
      fast--;
    for (Index ox = 0; ox < first; ox++)
      slowly(ox);
    copy_runs(row + first * step - g.pad_x * g.in, step, fast - first, vectors, to + first * ld, ld);
    for (Index ox = fast; ox < out_width; ox++)
      slowly(ox);
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
