#include "kernels/conv2d.h"
#include "kernels/conv2d_patches.h"
#include "kernels/conv2d_tiles.h"
#include "kernels/panels.h"
#include "kernels/philox.h"
#include "kernels/set.h"

// Direct, on the micro-kernel: in NHWC the (kernel column, channel) pairs under a pixel are contiguous, so
// the chain is kernel_height runs of kernel_width * in floats; the weights of kColumns channels are packed
// once into a panel [chain][kColumns]. Where runs are short (images of 3 channels) they are gathered into
// patches of whole chains first.

namespace milliner::MILLINER_SET {
namespace {

struct Plan {
  Blocks blocks;
  Index in_width; // pixels in a row of the images that tiles read
  Index ld;       // floats from image to image, or from patch to patch
  Index block;    // floats of the copied images of a block
  Index images;   // of a block at most
  Index panel;    // floats
  bool copied;    // the block is a copy: patches, or images with other strides or frames

  explicit Plan(const Conv2dGeometry& g) : in_width(g.width), panel(g.chain() * kColumns) {
    const Index width = larger(g.out_width(), 0), height = larger(g.out_height(), 0);
    // Both in tiles x kernel columns, a row of the output: neighbours in a row pay for the frame, images for
    // a copy.
    const Index by_images = ceil_div(g.n, kRows) * met_columns(g),
                by_rows = g.n * ceil_div(width, kRows) * g.kernel_width;
    Layout layout = Layout::rows;
    if (g.kernel_width * g.in < kConvolutionRun && g.kernel_height * g.kernel_width > 1)
      layout = Layout::patches;
    else if (g.pad_x > 0 ? by_images <= by_rows : by_images < by_rows)
      layout = Layout::images;
    const bool framed = layout == Layout::rows && g.pad_x > 0;
    if (framed)
      in_width += 2 * g.pad_x;
    const auto taken = [&](Index rows) {
      return smaller((rows - 1) * g.stride_y + g.kernel_height, g.height);
    };
    const Index patch = patch_stride(g);
    blocks = cut_into_blocks(layout, g.n, height, width, g.out, [&](Index rows) {
      return layout == Layout::patches ? rows * width * patch : taken(rows) * in_width * g.in;
    });
    images = ceil_div(g.n, larger(blocks.groups, 1));
    const Index rows = ceil_div(height, larger(blocks.bands, 1));
    copied = framed || layout != Layout::rows;
    ld = layout == Layout::patches ? patch : spread_stride(taken(rows) * in_width * g.in);
    block = !copied ? 0 : layout == Layout::patches ? images * rows * width * patch + kLanes : images * ld;
  }

  Index group_panels(const Conv2dGeometry& g) const {
    return smaller(ceil_div(g.out, kColumns), kConvolutionGroup / kColumns);
  }
  std::size_t workspace(const Conv2dGeometry& g) const {
    return static_cast<std::size_t>(group_panels(g) * panel + kConvolutionTiles * kRows * kColumns + block);
  }
};

struct Epilogue {
  const Conv2dForward& args;
  Keep keep;

  // v, a finished chain of `lanes` channels from `unit` on, at `at` in y.
  MILLINER_INLINE void write(F v, Index at, Index unit, Index lanes, const std::uint32_t* words) const {
    if (args.bias)
      v = v + load_first(args.bias + unit, lanes);
    if (args.relu)
      v = v > F{} ? v : F{};
    if (words)
      v = drop(keep, load(words), v);
    if (args.h)
      store_first(args.h + at, v, lanes);
    if (args.gate) {
      const F gate = load_first(args.gate + unit, lanes);
      v = gate == F{} ? F{} : v * gate;
    }
    store_first(args.y + at, v, lanes);
  }

  // Dropout: its random words come for many channels of a pixel at a time, so chains are finished where they
  // lie in y.
  void drop_row(Index row, Range units) const {
    std::uint32_t words[philox_words(kConvolutionGroup)];
    const Index count = units.end - units.begin;
    if (args.numbers)
      philox_listed(args.random, static_cast<std::uint32_t>(row), args.numbers + units.begin, count, words);
    else
      philox_row(args.random, static_cast<std::uint32_t>(row), units.begin, count, words);
    const Index at = row * args.geometry.out;
    for_vectors(units.begin, units.end, [&](Index unit, Index lanes) {
      write(load_first(args.y + at + unit, lanes), at + unit, unit, lanes, words + (unit - units.begin));
    });
  }
};

// Ends a tile's chains.
struct Finish {
  const Epilogue& epilogue;
  Index ld;            // floats of y from pixel to pixel
  Index unit, columns; // first output channel and how many

  template <int M> MILLINER_INLINE void fetch(Index out) const {
    MILLINER_UNROLL for (int i = 0; i < M; i++)
        __builtin_prefetch(epilogue.args.y + out + unit + i * ld, 1, 3);
  }

  template <int M> MILLINER_INLINE void operator()(const F (&tile)[M][kVectors], Index out) const {
    const Conv2dForward& args = epilogue.args;
    float* y = args.y + out + unit;
    if (columns == kColumns && (args.drop || (!args.h && !args.gate))) {
      const bool bias = args.bias && !args.drop;
      MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
        const F b = bias ? load(args.bias + unit + j * kLanes) : F{}; // +0 + +0 and v + +0 change nothing
        if (args.relu && !args.drop) {
          MILLINER_UNROLL for (int i = 0; i < M; i++) {
            const F v = tile[i][j] + F{} + b;
            store(y + i * ld + j * kLanes, v > F{} ? v : F{});
          }
        } else {
          MILLINER_UNROLL for (int i = 0; i < M; i++) store(y + i * ld + j * kLanes, tile[i][j] + F{} + b);
        }
      }
      return;
    }
    MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
      const Index lanes = smaller(kLanes, columns - j * kLanes);
      if (lanes <= 0)
        break;
      MILLINER_UNROLL for (int i = 0; i < M; i++) {
        const F v = tile[i][j] + F{}; // -0 of a flushed chain becomes +0
        if (args.drop)
          store_first(y + i * ld + j * kLanes, v, lanes);
        else
          epilogue.write(v, out + unit + i * ld + j * kLanes, unit + j * kLanes, lanes, nullptr);
      }
    }
  }
};

} // namespace

Work conv2d_forward_work(const Conv2dForward& args) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Plan plan(g);
  return {g.out_width() <= 0 || g.out_height() <= 0 ? 0 : plan.blocks.items(),
          g.flops() / kFlopsPerNanosecond, plan.workspace(g)};
}

void conv2d_forward_run(const Conv2dForward& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Plan plan(g);
  const Blocks& blocks = plan.blocks;
  const Index out_height = g.out_height(), out_width = g.out_width(), chain = g.chain();
  const Index image_floats = g.height * g.width * g.in;
  float* panels = workspace;
  float* partial = panels + plan.group_panels(g) * plan.panel;
  float* block = partial + kConvolutionTiles * kRows * kColumns;
  const Epilogue epilogue{args, keep_of(args.drop ? args.keep : 1.0)};
  // Kernel rows that meet an image at all; patches have zeros for the others.
  const Range met = blocks.layout == Layout::patches
                        ? Range{0, g.kernel_height}
                        : Range{larger(0, g.pad_y - (out_height - 1) * g.stride_y),
                                smaller(g.kernel_height, g.height + g.pad_y)};

  Index packed = -1;
  for (Index item = items.begin; item < items.end; item++) {
    const Index group = item / (blocks.groups * blocks.bands), rest = item % (blocks.groups * blocks.bands);
    const Range units = {group * kConvolutionGroup, smaller(g.out, (group + 1) * kConvolutionGroup)};
    if (group != packed) {
      for (Index unit = units.begin; unit < units.end; unit += kColumns) {
        const Index from = met.begin * g.kernel_width * g.in, to = met.end * g.kernel_width * g.in;
        pack_transposed(args.w + unit * chain + from, chain, smaller(kColumns, g.out - unit), to - from,
                        panels + (unit - units.begin) * chain + from * kColumns);
      }
      packed = group;
    }
    const Range images = part_of(g.n, blocks.groups, rest / blocks.bands);
    const Range rows = part_of(out_height, blocks.bands, rest % blocks.bands);
    // Rows of the images that this band reads.
    const Range read = {larger(0, rows.begin * g.stride_y - g.pad_y),
                        smaller(g.height, (rows.end - 1) * g.stride_y - g.pad_y + g.kernel_height)};
    const Index row_floats = plan.in_width * g.in;

    const bool by_images = blocks.layout == Layout::images, patches = blocks.layout == Layout::patches;
    const Walk walk = {
        by_images ? plan.ld : patches ? plan.ld : g.stride_x * g.in, row_floats, g.kernel_width * g.in, 0, 0,
        by_images ? out_height * out_width * g.out : g.out};

    const auto flush = [&](const PixelTile* tiles, Index count) {
      for (Index unit = units.begin; unit < units.end; unit += kColumns)
        run_panel(tiles, count, walk, panels + (unit - units.begin) * chain, chain, partial,
                  Finish{epilogue, walk.ld_out, unit, smaller(kColumns, g.out - unit)});
      if (args.drop)
        for (Index i = 0; i < count; i++)
          for (Index pixel = 0; pixel < tiles[i].pixels; pixel++)
            epilogue.drop_row((tiles[i].out + pixel * walk.ld_out) / g.out, units);
    };
    TileList list(flush);

    if (patches) {
      const Index first = (images.begin * out_height + rows.begin) * out_width;
      float* to = block;
      for (Index image = images.begin; image < images.end; image++)
        for (Index oy = rows.begin; oy < rows.end; oy++, to += out_width * plan.ld)
          gather_patches(g, args.x + image * image_floats, args.x + g.n * image_floats, oy, to, plan.ld);
      // One band of one image, or all rows of several: contiguous pixels of y.
      for_pixel_tiles<kRows>((to - block) / plan.ld, [&](Index pixel, Index pixels) {
        list.add(walk.tile(block + pixel * plan.ld, 0, 1, 1, chain, pixels, (first + pixel) * g.out));
      });
      list.flush();
      continue;
    }

    if (plan.copied)
      for (Index image = images.begin; image < images.end; image++) {
        const float* from = args.x + image * image_floats + read.begin * g.width * g.in;
        float* to = block + (image - images.begin) * plan.ld;
        if (by_images)
          copy_floats(from, (read.end - read.begin) * row_floats, to);
        else
          frame_image(from, read.end - read.begin, g.width, g.in, g.pad_x, g.pad_x, to);
      }
    for (Index image = images.begin; image < images.end; image += by_images ? kRows : 1)
      for (Index oy = rows.begin; oy < rows.end; oy++) {
        const Index top = oy * g.stride_y - g.pad_y;
        const Range r = rows_inside(top, g.kernel_height, g.height);
        const float* row =
            plan.copied ? block + (image - images.begin) * plan.ld + (top + r.begin - read.begin) * row_floats
                        : args.x + image * image_floats + (top + r.begin) * row_floats;
        const Index out = (image * out_height + oy) * out_width * g.out;
        if (by_images)
          for (Index ox = 0; ox < out_width; ox++) {
            const Index left = ox * g.stride_x - g.pad_x;
            const Range s = rows_inside(left, g.kernel_width, g.width);
            list.add(walk.tile(row + (left + s.begin) * g.in, (r.begin * g.kernel_width + s.begin) * g.in,
                               r.end - r.begin, 1, (s.end - s.begin) * g.in, images.end - images.begin,
                               out + ox * g.out));
          }
        else
          for_pixel_tiles<kRows>(out_width, [&](Index ox, Index pixels) {
            list.add(walk.tile(row + ox * g.stride_x * g.in, r.begin * g.kernel_width * g.in, r.end - r.begin,
                               1, g.kernel_width * g.in, pixels, out + ox * g.out));
          });
      }
    list.flush();
  }
}

} // namespace milliner::MILLINER_SET
