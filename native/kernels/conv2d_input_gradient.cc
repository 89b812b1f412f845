#include "kernels/conv2d.h"
#include "kernels/conv2d_frame.h"
#include "kernels/micro_kernel.h"
#include "kernels/panels.h"
#include "kernels/set.h"

// A tile is up to kRows pixels of a row of dx x kColumns input channels. For a kernel position (r, s) the
// gradients that meet neighbouring pixels of dx are neighbouring pixels of dy, and a run over the output
// channels is contiguous. With a stride the pixels of a row fall into stride_x classes, each met by its own
// kernel columns; a tile takes one class.

namespace milliner::MILLINER_SET {
namespace {

struct Frame {
  Index left, right; // zero pixels on both sides of a row of dy

  explicit Frame(const Conv2dGeometry& g)
      : left(larger(0, ceil_div(larger(0, g.kernel_width - 1 - g.pad_x), g.stride_x))),
        right(larger(0, (g.width - 1 + g.pad_x) / g.stride_x - (g.out_width() - 1))) {}

  Index width(const Conv2dGeometry& g) const { return left + g.out_width() + right; }
};

struct InputGradientTile {
  const Conv2dGeometry& geometry;
  Index iy, x, first_column; // row and first pixel of dx; the first kernel column that meets them
  const float* dy;           // framed image, at the pixel of output column 0
  Index dy_stride;           // floats from row to row of the framed image
  const float* panel;
  float* dx;
  Index columns;

  template <int M> __attribute__((noinline)) void run() const {
    const Conv2dGeometry& g = geometry;
    F tile[M][kVectors];
    clear(tile);
    for (Index r = 0; r < g.kernel_height; r++) {
      const Index below = iy + g.pad_y - r;
      if (below < 0 || below % g.stride_y != 0 || below / g.stride_y >= g.out_height())
        continue;
      for (Index s = first_column; s < g.kernel_width; s += g.stride_x) {
        const Index ox = (x + g.pad_x - s) / g.stride_x; // exact, may be negative: inside the frame
        run_chains(g.out, dy + below / g.stride_y * dy_stride + ox * g.out, g.out,
                   panel + (r * g.kernel_width + s) * g.out * kColumns, kColumns, tile);
      }
    }
    add_zero(tile);
    store_columns(tile, dx, g.stride_x * g.in, columns);
  }
};

Index panel_floats(const Conv2dGeometry& g) { return g.kernel_height * g.kernel_width * g.out * kColumns; }

} // namespace

Work conv2d_input_gradient_work(const Conv2dInputGradient& args) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Index panels = ceil_div(g.in, kColumns) * panel_floats(g);
  return {g.in == 0 || g.width == 0 ? 0 : g.n * g.height, g.flops() / kFlopsPerNanosecond,
          static_cast<std::size_t>(panels + larger(g.out_height(), 0) * Frame(g).width(g) * g.out)};
}

void conv2d_input_gradient_run(const Conv2dInputGradient& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Frame border(g);
  const Index chain = g.chain(), stride = border.width(g) * g.out;
  float* panels = workspace;
  float* frame = workspace + ceil_div(g.in, kColumns) * panel_floats(g);
  for (Index channel = 0; channel < g.in; channel += kColumns)
    for (Index position = 0; position < g.kernel_height * g.kernel_width; position++)
      pack_rows(args.w + position * g.in + channel, chain, smaller(kColumns, g.in - channel), g.out,
                panels + channel / kColumns * panel_floats(g) + position * g.out * kColumns);

  Index framed_image = -1;
  for (Index item = items.begin; item < items.end; item++) {
    const Index image = item / g.height, iy = item % g.height;
    if (image != framed_image) {
      frame_image(args.dy + image * g.out_height() * g.out_width() * g.out, g.out_height(), g.out_width(),
                  g.out, border.left, border.right, frame);
      framed_image = image;
    }
    for (Index channel = 0; channel < g.in; channel += kColumns)
      for (Index x0 = 0; x0 < smaller(g.stride_x, g.width); x0++)
        for_pixel_tiles<kRows>(ceil_div(g.width - x0, g.stride_x), [&](Index pixel, Index pixels) {
          const Index x = x0 + pixel * g.stride_x;
          const InputGradientTile tile = {g,
                                          iy,
                                          x,
                                          (x + g.pad_x) % g.stride_x,
                                          frame + border.left * g.out,
                                          stride,
                                          panels + channel / kColumns * panel_floats(g),
                                          args.dx + (item * g.width + x) * g.in + channel,
                                          smaller(kColumns, g.in - channel)};
          with_rows(pixels, [&]<int M>() { tile.template run<M>(); });
        });
  }
}

} // namespace milliner::MILLINER_SET
