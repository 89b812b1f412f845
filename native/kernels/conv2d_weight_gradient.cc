#include "kernels/conv2d.h"
#include "kernels/conv2d_frame.h"
#include "kernels/micro_kernel.h"
#include "kernels/panels.h"
#include "kernels/set.h"

// A tile is up to kRows output channels x kColumns neighbouring (kernel column, input channel) pairs of one
// kernel row: under a pixel these pairs are contiguous in x, and from pixel to pixel they move by stride_x *
// in floats. dy is transposed for a block of images; the partial chains lie in dw between blocks.

namespace milliner::MILLINER_SET {
namespace {

struct Block {
  Index images;      // taken together
  Index frame;       // floats of a framed image
  Index frame_width; // pixels of a framed row
  Index ld;          // stride of the transposed dy

  explicit Block(const Conv2dGeometry& g)
      : images(
            smaller(larger(g.n, 1), ceil_div(kConvolutionPixels, larger(1, g.out_height() * g.out_width())))),
        frame(g.height * (g.width + 2 * g.pad_x) * g.in), frame_width(g.width + 2 * g.pad_x),
        ld(spread_stride(images * larger(0, g.out_height() * g.out_width()))) {}
};

struct WeightGradientTile {
  const Conv2dGeometry& geometry;
  const Block& block;
  Index images, kernel_row; // images in this block
  const float* dyt;         // rows of this tile
  const float* frames;      // at the tile's first pair
  float* dw;
  Index columns;
  bool first;

  template <int M> __attribute__((noinline)) void run() const {
    const Conv2dGeometry& g = geometry;
    const Index chain = g.chain();
    F tile[M][kVectors];
    clear(tile);
    if (!first)
      load_columns(tile, dw, chain, columns);
    for (Index image = 0; image < images; image++)
      for (Index oy = 0; oy < g.out_height(); oy++) {
        const Index iy = oy * g.stride_y + kernel_row - g.pad_y;
        if (iy >= 0 && iy < g.height)
          run_chains(g.out_width(), dyt + (image * g.out_height() + oy) * g.out_width(), block.ld,
                     frames + image * block.frame + iy * block.frame_width * g.in, g.stride_x * g.in, tile);
      }
    add_zero(tile);
    store_columns(tile, dw, chain, columns);
  }
};

} // namespace

Work conv2d_weight_gradient_work(const Conv2dWeightGradient& args) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Block block(g);
  return {g.chain() == 0 ? 0 : ceil_div(g.out, kRows), g.flops() / kFlopsPerNanosecond,
          static_cast<std::size_t>(g.out * block.ld + block.images * block.frame + kColumns)};
}

void conv2d_weight_gradient_run(const Conv2dWeightGradient& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Block block(g);
  const Index begin = items.begin * kRows, end = smaller(items.end * kRows, g.out);
  const Index pixels = g.out_height() * g.out_width(), pairs = g.kernel_width * g.in;
  float* dyt = workspace;
  float* frames = workspace + g.out * block.ld;

  Index image0 = 0;
  do { // once also for n = 0: the chains are then +0
    const Index images = smaller(block.images, g.n - image0);
    for (Index image = 0; image < images; image++) {
      transpose(args.dy + (image0 + image) * pixels * g.out + begin, g.out, pixels, end - begin,
                dyt + image * pixels, block.ld);
      frame_image(args.x + (image0 + image) * g.height * g.width * g.in, g.height, g.width, g.in, g.pad_x,
                  g.pad_x, frames + image * block.frame);
    }
    zero_floats(frames + images * block.frame,
                kColumns); // the last tile of the last pixel reads past its pairs
    for (Index r = 0; r < g.kernel_height; r++)
      for (Index pair = 0; pair < pairs; pair += kColumns)
        for (Index unit = begin; unit < end; unit += kRows) {
          const WeightGradientTile tile = {g,
                                           block,
                                           images,
                                           r,
                                           dyt + (unit - begin) * block.ld,
                                           frames + pair,
                                           args.dw + unit * g.chain() + r * pairs + pair,
                                           smaller(kColumns, pairs - pair),
                                           image0 == 0};
          with_rows(smaller(kRows, end - unit), [&]<int M>() { tile.template run<M>(); });
        }
    image0 += block.images;
  } while (image0 < g.n);
}

} // namespace milliner::MILLINER_SET
