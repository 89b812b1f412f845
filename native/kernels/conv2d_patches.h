// Whole chains of pixels, gathered: for images of few channels, where a run along a row is shorter than what a loop
// around the micro-kernel costs.
#pragma once

#include "kernels/conv2d_frame.h"

namespace milliner::MILLINER_SET {
namespace {

// to[0 .. count) = from, or beyond where both memories go on: whole vectors are faster than a mask.
MILLINER_INLINE void copy_run(const float* from, Index count, const float* end, float* to) {
  for (Index i = 0; i < count; i += kLanes)
    store(to + i, from + i + kLanes <= end ? load(from + i) : load_first(from + i, smaller(kLanes, count - i)));
}

// The patch of a pixel: its whole chain, with zeros for the padding. Writes up to a vector beyond.
inline void gather_patch(const Conv2dGeometry& g, const float* image, const float* end, Index oy, Index ox,
                                  float* to) {
  const Index top = oy * g.stride_y - g.pad_y, left = ox * g.stride_x - g.pad_x;
  const Index run = g.kernel_width * g.in;
  const Range inside = rows_inside(left, g.kernel_width, g.width);
  for (Index r = 0; r < g.kernel_height; r++, to += run) {
    const Index iy = top + r;
    const bool whole = inside.begin == 0 && inside.end == g.kernel_width;
    if (iy < 0 || iy >= g.height || !whole)
      for (Index i = 0; i < run; i += kLanes)
        store(to + i, F{});
    if (iy >= 0 && iy < g.height && inside.begin < inside.end) {
      const float* from = image + (iy * g.width + left + inside.begin) * g.in;
      if (whole)
        copy_run(from, run, end, to);
      else
        for (Index i = 0; i < (inside.end - inside.begin) * g.in; i++)
          to[inside.begin * g.in + i] = from[i];
    }
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
