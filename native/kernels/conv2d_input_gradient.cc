#include "kernels/conv2d.h"
#include "kernels/conv2d_sparse_input.h"
#include "kernels/conv2d_tiles.h"
#include "kernels/panels.h"
#include "kernels/set.h"

// For a kernel position (r, s) the gradients that meet neighbouring pixels of dx are neighbouring pixels of
// dy, and a run over the output channels is contiguous. A panel is [kernel position][out][kColumns input
// channels]. With a stride only every stride_y-th kernel row and stride_x-th column meet a pixel: its runs
// step over the others.

namespace milliner::MILLINER_SET {
namespace {

struct Plan {
  Blocks blocks;
  Index left, right; // zero pixels on both sides of a row of dy
  Index width;       // of such a row
  Index ld;          // floats from image to image of a block
  Index block;       // floats of the copied images of a block
  Index chain, panel;
  SparseInputBlock sparse;

  explicit Plan(const Conv2dGeometry& g) : left(0), right(0) {
    chain = g.kernel_height * g.kernel_width * g.out, panel = chain * kColumns;
    // Both in tiles x kernel columns, an image row: neighbours in a row pay for the frame as well.
    const bool by_images =
        ceil_div(g.n, kRows) * met_columns(g) <= g.n * ceil_div(g.width, g.stride_x * kRows) * g.kernel_width;
    if (!by_images) {
      left = larger(0, ceil_div(larger(0, g.kernel_width - 1 - g.pad_x), g.stride_x));
      right = larger(0, (g.width - 1 + g.pad_x) / g.stride_x - (g.out_width() - 1));
    }
    width = left + larger(g.out_width(), 0) + right;
    const Index out_height = larger(g.out_height(), 0);
    const auto taken = [&](Index rows) {
      return smaller((rows + g.kernel_height - 2) / g.stride_y + 1, out_height) * width * g.out;
    };
    blocks = cut_into_blocks(by_images ? Layout::images : Layout::rows, g.n, g.height, g.width, g.in, taken);
    const Index images = ceil_div(g.n, larger(blocks.groups, 1)),
                rows = ceil_div(g.height, larger(blocks.bands, 1));
    ld = spread_stride(taken(rows));
    block = images * ld;
    sparse = {images * rows * g.width,
              images * smaller((rows + g.kernel_height - 2) / g.stride_y + 1, out_height) *
                  larger(g.out_width(), 0)};
  }

  Index group_panels(const Conv2dGeometry& g) const {
    return smaller(ceil_div(g.in, kColumns), kConvolutionGroup / kColumns);
  }
  std::size_t workspace(const Conv2dGeometry& g) const {
    const auto dense =
        static_cast<std::size_t>(group_panels(g) * panel + kConvolutionTiles * kRows * kColumns + block);
    const std::size_t by_terms = sparse.workspace(g.out);
    return dense > by_terms ? dense : by_terms;
  }
};

// The positions first, first + stride, ... of a kernel's side that meet index `at` of dx, for outputs
// [0, outputs): `first` meets output `output`, every next one the output before.
struct Met {
  Index first, count, output;

  Met(Index at, Index pad, Index kernel, Index stride, Index outputs) {
    const Index below = at + pad;
    first = below % stride;
    if (below / stride > outputs - 1)
      first = below - (outputs - 1) * stride;
    output = (below - first) / stride;
    count = first < kernel && output >= 0 ? smaller((kernel - 1 - first) / stride, output) + 1 : 0;
  }
};

struct Finish {
  float* dx;
  Index ld;            // floats of dx from pixel to pixel
  Index unit, columns; // first input channel and how many

  template <int M> MILLINER_INLINE void fetch(Index out) const {
    MILLINER_UNROLL for (int i = 0; i < M; i++) __builtin_prefetch(dx + out + unit + i * ld, 1, 3);
  }
  template <int M> MILLINER_INLINE void operator()(F (&tile)[M][kVectors], Index out) const {
    add_zero(tile);
    if (columns == kColumns)
      store_tile(tile, dx + out + unit, ld);
    else
      store_columns(tile, dx + out + unit, ld, columns);
  }
};

} // namespace

Work conv2d_input_gradient_work(const Conv2dInputGradient& args) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Plan plan(g);
  return {g.width == 0 || g.height == 0 ? 0 : plan.blocks.items(), g.flops() / kFlopsPerNanosecond,
          plan.workspace(g)};
}

void conv2d_input_gradient_run(const Conv2dInputGradient& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Plan plan(g);
  const Blocks& blocks = plan.blocks;
  const bool by_images = blocks.layout == Layout::images;
  const Index out_height = g.out_height(), out_width = g.out_width();
  const Index row_floats = plan.width * g.out, dy_floats = out_height * out_width * g.out;
  float* panels = workspace;
  float* partial = panels + plan.group_panels(g) * plan.panel;
  float* block = partial + kConvolutionTiles * kRows * kColumns;
  const Walk walk = {by_images ? plan.ld : g.out,
                     -row_floats,
                     g.stride_y * g.kernel_width * g.out,
                     -g.out,
                     g.stride_x * g.out,
                     by_images ? g.height * g.width * g.in : g.stride_x * g.in};
  // Kernel rows that meet an image at all.
  const Range met = {larger(0, g.pad_y - (out_height - 1) * g.stride_y),
                     smaller(g.kernel_height, g.height + g.pad_y)};

  const bool by_terms = is_sparse_input_gradient(args);
  Index packed = -1;
  for (Index item = items.begin; item < items.end; item++) {
    const Index group = item / (blocks.groups * blocks.bands), rest = item % (blocks.groups * blocks.bands);
    const Range units = {group * kConvolutionGroup, smaller(g.in, (group + 1) * kConvolutionGroup)};
    const Range images = part_of(g.n, blocks.groups, rest / blocks.bands);
    const Range rows = part_of(g.height, blocks.bands, rest % blocks.bands);
    // Rows of dy that this band reads.
    const Range read = {larger(0, ceil_div(rows.begin + g.pad_y - g.kernel_height + 1, g.stride_y)),
                        smaller(out_height, (rows.end - 1 + g.pad_y) / g.stride_y + 1)};
    if (by_terms) {
      sparse_input_gradient(args, units, images, rows, read, workspace);
      continue;
    }
    if (group != packed) {
      for (Index unit = units.begin; unit < units.end; unit += kColumns)
        for (Index position = met.begin * g.kernel_width; position < met.end * g.kernel_width; position++)
          pack_rows(args.w + position * g.in + unit, g.chain(), smaller(kColumns, g.in - unit), g.out,
                    panels + (unit - units.begin) * plan.chain + position * g.out * kColumns);
      packed = group;
    }
    for (Index image = images.begin; image < images.end; image++)
      frame_image(args.dy + image * dy_floats + read.begin * out_width * g.out, read.end - read.begin,
                  out_width, g.out, plan.left, plan.right, block + (image - images.begin) * plan.ld);

    const auto flush = [&](const PixelTile* tiles, Index count) {
      for (Index unit = units.begin; unit < units.end; unit += kColumns)
        run_panel(tiles, count, walk, panels + (unit - units.begin) * plan.chain, plan.chain, partial,
                  Finish{args.dx, walk.ld_out, unit, smaller(kColumns, g.in - unit)});
    };
    TileList list(flush);
    for (Index image = images.begin; image < images.end; image += by_images ? kRows : 1)
      for (Index iy = rows.begin; iy < rows.end; iy++) {
        const Met r(iy, g.pad_y, g.kernel_height, g.stride_y, out_height);
        const float* row = block + (image - images.begin) * plan.ld + (r.output - read.begin) * row_floats;
        const Index out = (image * g.height + iy) * g.width * g.in;
        if (by_images)
          for (Index ix = 0; ix < g.width; ix++) {
            const Met s(ix, g.pad_x, g.kernel_width, g.stride_x, out_width);
            list.add(walk.tile(row + s.output * g.out, (r.first * g.kernel_width + s.first) * g.out, r.count,
                               s.count, g.out, images.end - images.begin, out + ix * g.in));
          }
        else
          for (Index x0 = 0; x0 < smaller(g.stride_x, g.width); x0++) {
            // These pixels share their kernel columns; outputs outside of a row are zeros of the frame.
            const Index first = (x0 + g.pad_x) % g.stride_x;
            const Index columns = first < g.kernel_width ? (g.kernel_width - 1 - first) / g.stride_x + 1 : 0;
            for_pixel_tiles<kRows>(ceil_div(g.width - x0, g.stride_x), [&](Index pixel, Index pixels) {
              const Index ox = (x0 + g.pad_x - first) / g.stride_x + pixel;
              list.add(walk.tile(row + (plan.left + ox) * g.out, (r.first * g.kernel_width + first) * g.out,
                                 r.count, columns, g.out, pixels, out + (x0 + pixel * g.stride_x) * g.in));
            });
          }
      }
    list.flush();
  }
}

} // namespace milliner::MILLINER_SET
