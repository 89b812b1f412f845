// Max pooling without padding, its backward, and the backward of a gate, pooling and an activation in one.
//
//   forward   y = largest element of the window;
//             argmax = its index in one image's x, (row * width + column) * channels + channel;
//             the first in row-major order on ties. A NaN wins (the last one, if there are several).
//   backward  dx = 0; dx[argmax] += dy, outputs ascending where windows overlap
//   activation_backward, where windows do not overlap:
//             dgate[c] = sum of dy * h
//             u = gate[c] == 0 ? +0 : dy * gate[c] (u = dy without gate), + +0
//             dv = relu && h <= 0 ? +0 : u * float32(1 / keep) at argmax, elsewhere +0
//             dbias[c] = sum of dv
//             as gate, pooling and activation (activation.h) have them one after the other
//
// Shapes   x, dx, dv [n, height, width, channels]; y, dy, h, argmax [n, out_height, out_width, channels];
//          gate, dgate, dbias [channels]. No overlap. The backward's argmax is what the forward wrote for the same geometry: where windows
//          do not overlap, a position outside its own window gets nothing.
// Bits     a selection; the additions of the backward have a fixed order. dgate over the outputs and dbias over
//          the pixels, in blocks as in activation.h.
// Cost     bound by memory.
//
// Indices outside an image are refused by the glue before anything is written.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct MaxPool2dGeometry {
  Index n, height, width, channels, kernel_height, kernel_width, stride_y, stride_x;

  constexpr bool overlaps() const { return stride_y < kernel_height || stride_x < kernel_width; }
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

struct MaxPool2dActivationBackward {
  const float* dy;
  const std::int32_t* argmax;
  const float* h;    // or null, where neither relu nor dgate needs it
  const float* gate; // or null
  float* dv;
  float* dgate; // or null
  float* dbias; // or null
  MaxPool2dGeometry geometry;
  bool relu;
  double keep; // 0 < keep <= 1
};

} // namespace milliner
