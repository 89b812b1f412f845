// Images with zero columns on both sides, so that a run along a row never has to test for the border.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

inline void copy_floats(const float* from, Index count, float* to) {
  for_vectors(0, count,
              [&](Index i, Index lanes) { store_first(to + i, load_first(from + i, lanes), lanes); });
}
inline void zero_floats(float* to, Index count) {
  for_vectors(0, count, [&](Index i, Index lanes) { store_first(to + i, F{}, lanes); });
}

// to[row] = left zero pixels, image[row], right zero pixels; a pixel is `channels` floats.
inline void frame_image(const float* image, Index height, Index width, Index channels, Index left,
                        Index right, float* to) {
  for (Index row = 0; row < height; row++) {
    zero_floats(to, left * channels);
    to += left * channels;
    copy_floats(image + row * width * channels, width * channels, to);
    to += width * channels;
    zero_floats(to, right * channels);
    to += right * channels;
  }
}

// Kernel rows that meet the image when the window's first row is `top` (may be negative).
constexpr Range rows_inside(Index top, Index kernel_height, Index height) {
  return {larger(0, -top), smaller(kernel_height, height - top)};
}

// Cuts `count` pixels of a row into tiles of nearly equal size: 7 = 4 + 3 and not 6 + 1, whose last tile
// would wait for its own latency.
template <int kMost, class Body> MILLINER_INLINE void for_pixel_tiles(Index count, const Body& body) {
  for (Index pixel = 0, tiles = ceil_div(count, kMost); tiles > 0; tiles--) {
    const Index pixels = ceil_div(count - pixel, tiles);
    body(pixel, pixels);
    pixel += pixels;
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
