// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) and its gradients,
// without im2col.
//
//   forward          v = sum over r, s, c of x[i][oy sy + r - py][ox sx + s - px][c] * w[o][r][s][c]
//                        + bias[o];
//                    then ReLU, dropout, max pooling as in max_pool2d.h, h and gate as in linear_forward.h,
//                    with a pixel (i, oy, ox) for the row of dropout
//   input gradient   dx[i][iy][ix][c] = sum over r, s, o of dy[i][oy][ox][o] * w[o][r][s][c]
//                    where oy sy + r - py = iy, same in x
//   weight gradient  dw[o][r][s][c] = sum over i, oy, ox of
//                        dy[i][oy][ox][o] * x[i][oy sy + r - py][ox sx + s - px][c]
//   weight update    w = fma(-lr, dw, w) where the element is not locked; w is not written where it is
//
// Shapes   NHWC: x and dx [n, height, width, in]; y, h and dy [n, out_height, out_width, out], with pooling y,
//          h and argmax [n, pool.out_height, pool.out_width, out]; w and dw
//          [out, kernel_height, kernel_width, in]; bias, gate [out]; contiguous, any alignment. No overlap.
//          locks: rows of lock_words(chain) words as in optimizer_step.h, a row an output channel, or null.
// Bits     one chain of fma per element from +0, then +0 is added, then the bias. Order of the chain:
//          forward r, s, c; input gradient r, s, o, all ascending; weight gradient image, oy, ox. Padding is
//          skipped: its exact zeros would leave a chain of finite numbers as it is.
//          |error| <= (length of the chain) * 2^-24 * sum |terms|.
// NaN      in x, w, dy or bias comes out of everything that it is a term of, 0 * NaN and 0 * inf included; where it
// and inf  meets padding, or in the input gradient the border of dy, 0 * NaN may come out too.
// Cost     2 n out_height out_width out kernel_height kernel_width in flops each, less those with padding.
#pragma once

#include "kernels/dropout.h"
#include "kernels/max_pool2d.h"

namespace milliner {

struct Conv2dGeometry {
  Index n, height, width, in, out;
  Index kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x;

  constexpr Index out_height() const { return (height + 2 * pad_y - kernel_height) / stride_y + 1; }
  constexpr Index out_width() const { return (width + 2 * pad_x - kernel_width) / stride_x + 1; }
  constexpr Index chain() const { return kernel_height * kernel_width * in; }
  constexpr double flops() const {
    return 2.0 * static_cast<double>(n * out_height() * out_width()) * static_cast<double>(out * chain());
  }
};

struct Conv2dForward {
  const float* x;
  const float* w;
  const float* bias; // or null
  float* y;
  Conv2dGeometry geometry;
  bool relu;
  const float* gate = nullptr; // or null
  float* h = nullptr;          // or null
  bool drop = false;
  double keep = 1;
  Random random = {};
  const std::uint32_t* numbers = nullptr; // of the channels in the full layer, [out] ascending; or null
  bool pools = false;
  MaxPool2dGeometry pool = {};    // of images [n, out_height, out_width, out]
  std::int32_t* argmax = nullptr; // or null
};

struct Conv2dInputGradient {
  const float* dy;
  const float* w;
  float* dx;
  Conv2dGeometry geometry;
};

struct Conv2dWeightGradient {
  const float* dy;
  const float* x;
  float* dw;
  Conv2dGeometry geometry;
};

// The gradient stays in the tile that computed it. A tile whose elements are all locked is not computed.
struct Conv2dWeightUpdate {
  const float* dy;
  const float* x;
  float* w;
  float lr;
  const std::uint32_t* locks; // or null
  Conv2dGeometry geometry;
};

} // namespace milliner
