// Max pooling without padding, and its backward.
//
//   forward   y = largest element of the window;
//             argmax = its index in one image's x, (row * width + column) * channels + channel;
//             the first in row-major order on ties. A NaN wins (the last one, if there are several).
//   backward  dx = 0; dx[argmax] += dy, outputs ascending where windows overlap
//
// Shapes   x and dx [n, height, width, channels]; y, dy, argmax [n, out_height, out_width, channels].
//          No overlap. The backward's argmax is what the forward wrote for the same geometry: where windows
//          do not overlap, a position outside its own window gets nothing.
// Bits     a selection; the additions of the backward have a fixed order.
// Cost     bound by memory.
//
// Indices outside an image are refused by the glue before anything is written.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct MaxPool2dGeometry {
  Index n, height, width, channels, kernel_height, kernel_width, stride_y, stride_x;

  constexpr Index out_height() const { return (height - kernel_height) / stride_y + 1; }
  constexpr Index out_width() const { return (width - kernel_width) / stride_x + 1; }
};

struct MaxPool2dForward {
  const float* x;
  float* y;
  std::int32_t* argmax;
  MaxPool2dGeometry geometry;
};

struct MaxPool2dBackward {
  const float* dy;
  const std::int32_t* argmax;
  float* dx;
  MaxPool2dGeometry geometry;
};

} // namespace milliner
