#include "kernels/conv2d.h"
#include "kernels/conv2d_frame.h"
#include "kernels/micro_kernel.h"
#include "kernels/panels.h"
#include "kernels/set.h"

// Direct, on the micro-kernel: a tile is up to kRows neighbouring pixels of an output row x kColumns output
// channels. In NHWC the (kernel column, channel) pairs under a pixel are contiguous, so the chain is
// kernel_height runs of kernel_width * in floats; the weights of kColumns channels are packed once into a
// panel [chain][kColumns].

namespace milliner::MILLINER_SET {
namespace {

struct ForwardTile {
  const Conv2dForward& args;
  Range kernel_rows;
  const float* x;     // first run of the first pixel, kernel row 0
  Index image_stride; // floats from image row to image row
  const float* panel;
  float* y;
  Index unit, columns; // first output channel and how many

  template <int M> __attribute__((noinline)) void run() const {
    const Conv2dGeometry& g = args.geometry;
    const Index length = g.kernel_width * g.in;
    F tile[M][kVectors];
    clear(tile);
    for (Index r = kernel_rows.begin; r < kernel_rows.end; r++)
      run_chains(length, x + r * image_stride, g.stride_x * g.in, panel + r * length * kColumns, kColumns,
                 tile);
    MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
      const Index lanes = smaller(kLanes, columns - j * kLanes);
      if (lanes <= 0)
        break;
      const F bias = args.bias ? load_first(args.bias + unit + j * kLanes, lanes) : F{};
      MILLINER_UNROLL for (int i = 0; i < M; i++) {
        F v = tile[i][j] + F{};
        if (args.bias)
          v = v + bias;
        if (args.relu)
          v = v > F{} ? v : F{};
        store_first(y + i * g.out + j * kLanes, v, lanes);
      }
    }
  }
};

std::size_t frame_floats(const Conv2dGeometry& g) {
  return static_cast<std::size_t>(g.pad_x == 0 ? 0 : g.height * (g.width + 2 * g.pad_x) * g.in);
}

} // namespace

Work conv2d_forward_work(const Conv2dForward& args) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Index panels = round_up(g.out, kColumns) * g.chain();
  return {g.out == 0 || g.out_width() <= 0 ? 0 : g.n * larger(g.out_height(), 0),
          g.flops() / kFlopsPerNanosecond, static_cast<std::size_t>(panels) + frame_floats(g)};
}

void conv2d_forward_run(const Conv2dForward& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Index out_height = g.out_height(), out_width = g.out_width(), chain = g.chain();
  float* panels = workspace;
  float* frame = workspace + round_up(g.out, kColumns) * chain;
  for (Index unit = 0; unit < g.out; unit += kColumns)
    pack_transposed(args.w + unit * chain, chain, smaller(kColumns, g.out - unit), chain,
                    panels + unit * chain);

  const bool framed = g.pad_x > 0;
  const Index stride = (framed ? g.width + 2 * g.pad_x : g.width) * g.in;
  Index framed_image = -1;
  for (Index item = items.begin; item < items.end; item++) {
    const Index image = item / out_height, oy = item % out_height;
    const float* x = args.x + image * g.height * g.width * g.in;
    if (framed && image != framed_image) {
      frame_image(x, g.height, g.width, g.in, g.pad_x, g.pad_x, frame);
      framed_image = image;
    }
    const Index top = oy * g.stride_y - g.pad_y;
    const float* row = (framed ? frame : x) + top * stride;
    for (Index unit = 0; unit < g.out; unit += kColumns)
      for_pixel_tiles<kRows>(out_width, [&](Index ox, Index pixels) {
        const ForwardTile tile = {args,
                                  rows_inside(top, g.kernel_height, g.height),
                                  row + ox * g.stride_x * g.in,
                                  stride,
                                  panels + unit * chain,
                                  args.y + (item * out_width + ox) * g.out + unit,
                                  unit,
                                  smaller(kColumns, g.out - unit)};
        with_rows(pixels, [&]<int M>() { tile.template run<M>(); });
      });
  }
}

} // namespace milliner::MILLINER_SET
