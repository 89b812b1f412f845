#include "kernels/conv2d.h"
#include "kernels/conv2d_patches.h"
#include "kernels/conv2d_tiles.h"
#include "kernels/panels.h"
#include "kernels/philox.h"
#include "kernels/rectifier.h"
#include "kernels/set.h"

// Direct, on the micro-kernel: in NHWC the (kernel column, channel) pairs under a pixel are contiguous, so
// the chain is kernel_height runs of kernel_width * in floats; the weights of kColumns channels are packed
// once into a panel [chain][kColumns]. Where runs are short (images of 3 channels) they are gathered into
// patches of whole chains first.

namespace milliner::MILLINER_SET {
namespace {

struct Plan {
  Index width;    // columns of the output that are needed: pooling drops the last ones, as it does rows
  Index bands_of; // rows that bands are cut from: of the output, or of what is pooled
  Blocks blocks;
  Index in_width; // pixels in a row of the images that tiles read
  Index ld;       // floats from image to image, or from patch to patch
  Index block;    // floats of the copied images of a block
  Index images;   // of a block at most
  Index panel;    // floats
  Index ld_sums;  // of the chains that wait for pooling, from pixel to pixel
  Index sums;     // floats of these
  Index words;    // random words of a window
  bool copied;    // the block is a copy: patches, or images with other strides or frames

  explicit Plan(const Conv2dForward& args)
      : in_width(args.geometry.width), panel(args.geometry.chain() * kColumns) {
    const Conv2dGeometry& g = args.geometry;
    const MaxPool2dGeometry& p = args.pool;
    width = args.pools ? (p.out_width() - 1) * p.stride_x + p.kernel_width : larger(g.out_width(), 0);
    bands_of = args.pools ? p.out_height() : larger(g.out_height(), 0);
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
    const auto rows_of = [&](Index band) { return rows_under(args, {0, band}).end; };
    const auto taken = [&](Index rows) {
      return smaller((rows - 1) * g.stride_y + g.kernel_height, g.height);
    };
    const Index patch = patch_stride(g);
    blocks = cut_into_blocks(layout, g.n, bands_of, width, g.out, [&](Index band) {
      return layout == Layout::patches ? rows_of(band) * width * patch
                                       : taken(rows_of(band)) * in_width * g.in;
    });
    images = ceil_div(g.n, larger(blocks.groups, 1));
    const Index rows = rows_of(ceil_div(bands_of, larger(blocks.bands, 1)));
    copied = framed || layout != Layout::rows;
    ld = layout == Layout::patches ? patch : spread_stride(taken(rows) * in_width * g.in);
    // Patches are gathered for whole rows, the last ones over those of the next row.
    block = !copied                     ? 0
            : layout == Layout::patches ? (images * rows * width + g.out_width() - width) * patch + kLanes
                                        : images * ld;
    ld_sums = smaller(round_up(g.out, kColumns), kConvolutionGroup);
    sums = args.pools ? images * rows * width * ld_sums : 0;
    words = args.pools && args.drop ? p.kernel_height * p.kernel_width * philox_words(kConvolutionGroup) : 0;
  }

  // Rows of the output under rows `band` of what bands are cut from.
  static Range rows_under(const Conv2dForward& args, Range band) {
    const MaxPool2dGeometry& p = args.pool;
    return args.pools ? Range{band.begin * p.stride_y, (band.end - 1) * p.stride_y + p.kernel_height} : band;
  }

  Index group_panels(const Conv2dGeometry& g) const {
    return smaller(ceil_div(g.out, kColumns), kConvolutionGroup / kColumns);
  }
  std::size_t workspace(const Conv2dGeometry& g) const {
    return static_cast<std::size_t>(group_panels(g) * panel + kConvolutionTiles * kRows * kColumns + block +
                                    sums + words);
  }
};

struct Epilogue {
  const Conv2dForward& args;
  Keep keep;

  // What follows a finished chain of `lanes` channels from `unit` on, up to pooling.
  MILLINER_INLINE F activate(F v, Index unit, Index lanes, const std::uint32_t* words) const {
    if (args.bias)
      v = v + load_first(args.bias + unit, lanes);
    if (args.relu)
      v = rectified(v);
    return words ? drop(keep, load(words), v) : v;
  }

  // The rest, at `at` in y.
  MILLINER_INLINE void write(F v, Index at, Index unit, Index lanes) const {
    if (args.h)
      store_first(args.h + at, v, lanes);
    if (args.gate) {
      const F gate = load_first(args.gate + unit, lanes);
      v = gate == F{} ? F{} : v * gate;
    }
    store_first(args.y + at, v, lanes);
  }

  MILLINER_INLINE void draw(Index row, Range units, std::uint32_t* words) const {
    const Index count = units.end - units.begin;
    if (args.numbers)
      philox_listed(args.random, static_cast<std::uint32_t>(row), args.numbers + units.begin, count, words);
    else
      philox_row(args.random, static_cast<std::uint32_t>(row), units.begin, count, words);
  }

  // Dropout: its random words come for many channels of a pixel at a time, so chains are finished where they
  // lie in y.
  void drop_row(Index row, Range units) const {
    std::uint32_t words[philox_words(kConvolutionGroup)];
    draw(row, units, words);
    const Index at = row * args.geometry.out;
    for_vectors(units.begin, units.end, [&](Index unit, Index lanes) {
      const F v = load_first(args.y + at + unit, lanes);
      write(activate(v, unit, lanes, words + (unit - units.begin)), at + unit, unit, lanes);
    });
  }

  // A pixel of the pooled image, whose window's chains lie in sums: pixels `ld` apart, their rows `ld_row`.
  // words: philox_words(kConvolutionGroup) for every pixel of the window, kHeight x kWidth (0: as args say).
  template <int kHeight, int kWidth>
  void pool(Index image, Index py, Index px, Range units, const float* sums, Index ld, Index ld_row,
            std::uint32_t* words) const {
    const Conv2dGeometry& g = args.geometry;
    const MaxPool2dGeometry& p = args.pool;
    const Index height = kHeight > 0 ? kHeight : p.kernel_height;
    const Index width = kWidth > 0 ? kWidth : p.kernel_width;
    const Index first = py * p.stride_y * g.out_width() + px * p.stride_x, row = g.out_width() * g.out;
    constexpr Index kWords = philox_words(kConvolutionGroup);
    for (Index r = 0; args.drop && r < height; r++)
      for (Index s = 0; s < width; s++)
        draw((image * g.out_height() + r) * g.out_width() + first + s, units,
             words + (r * width + s) * kWords);
    const Index to = ((image * p.out_height() + py) * p.out_width() + px) * g.out;
    for_vectors(units.begin, units.end, [&](Index unit, Index lanes) {
      const float* from = sums + unit - units.begin;
      const std::uint32_t* drawn = args.drop ? words + unit - units.begin : nullptr;
      const auto at = [&](Index r, Index s) {
        return activate(load(from + r * ld_row + s * ld), unit, lanes,
                        drawn ? drawn + (r * width + s) * kWords : nullptr);
      };
      F best = at(0, 0);
      U where = splat(static_cast<std::uint32_t>(first * g.out + unit));
      const U corner = where;
      for (Index r = 0; r < height; r++)
        for (Index s = r == 0 ? 1 : 0; s < width; s++) {
          const F v = at(r, s);
          const I better = (v > best) | (v != v);
          best = better ? v : best;
          where = better ? corner + splat(static_cast<std::uint32_t>(r * row + s * g.out)) : where;
        }
      write(best, to + unit, unit, lanes);
      if (args.argmax)
        store_first(reinterpret_cast<float*>(args.argmax + to + unit), (F)(where + lane_numbers()), lanes);
    });
  }
};

// Ends a tile's chains.
struct Finish {
  const Epilogue& epilogue;
  float* y;            // where the tile goes, from channel `unit` on
  Index ld;            // floats of y from pixel to pixel
  Index unit, columns; // first output channel and how many

  // Chains that others will finish.
  bool is_raw() const { return epilogue.args.drop || epilogue.args.pools; }

  template <int M> MILLINER_INLINE void fetch(Index out) const {
    MILLINER_UNROLL for (int i = 0; i < M; i++) __builtin_prefetch(y + out + i * ld, 1, 3);
  }

  template <int M> MILLINER_INLINE void operator()(const F (&tile)[M][kVectors], Index out) const {
    const Conv2dForward& args = epilogue.args;
    const bool raw = is_raw();
    if (columns == kColumns && (raw || (!args.h && !args.gate))) {
      const bool bias = args.bias && !raw;
      MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
        const F b = bias ? load(args.bias + unit + j * kLanes) : F{}; // +0 + +0 and v + +0 change nothing
        float* to = y + out + j * kLanes;
        if (args.relu && !raw) {
          MILLINER_UNROLL for (int i = 0; i < M; i++) store(to + i * ld, rectified(tile[i][j] + F{} + b));
        } else {
          MILLINER_UNROLL for (int i = 0; i < M; i++) store(to + i * ld, tile[i][j] + F{} + b);
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
        if (raw)
          store_first(y + out + i * ld + j * kLanes, v, lanes);
        else
          epilogue.write(epilogue.activate(v, unit + j * kLanes, lanes, nullptr),
                         out + unit + i * ld + j * kLanes, unit + j * kLanes, lanes);
      }
    }
  }
};

} // namespace

Work conv2d_forward_work(const Conv2dForward& args) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Plan plan(args);
  return {g.out_width() <= 0 || g.out_height() <= 0 ? 0 : plan.blocks.items(),
          g.flops() / kFlopsPerNanosecond, plan.workspace(g)};
}

void conv2d_forward_run(const Conv2dForward& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Plan plan(args);
  const Blocks& blocks = plan.blocks;
  const Index out_height = g.out_height(), out_width = g.out_width(), chain = g.chain();
  const Index image_floats = g.height * g.width * g.in;
  float* panels = workspace;
  float* partial = panels + plan.group_panels(g) * plan.panel;
  float* block = partial + kConvolutionTiles * kRows * kColumns;
  float* sums = block + plan.block;
  auto* words = reinterpret_cast<std::uint32_t*>(sums + plan.sums);
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
    const Range band = part_of(plan.bands_of, blocks.bands, rest % blocks.bands);
    const Range rows = Plan::rows_under(args, band);
    // Rows of the images that this band reads.
    const Range read = {larger(0, rows.begin * g.stride_y - g.pad_y),
                        smaller(g.height, (rows.end - 1) * g.stride_y - g.pad_y + g.kernel_height)};
    const Index row_floats = plan.in_width * g.in;

    const bool by_images = blocks.layout == Layout::images, patches = blocks.layout == Layout::patches;
    // Where the output's pixels lie: in y, or what is pooled in the workspace.
    const Index ld_out = args.pools ? plan.ld_sums : g.out,
                row_out = (args.pools ? plan.width : out_width) * ld_out,
                image_out = (args.pools ? rows.end - rows.begin : out_height) * row_out;
    float* to_out = args.pools ? sums - units.begin : args.y;
    const Index first_out = args.pools ? 0 : images.begin * image_out + rows.begin * row_out;
    const Walk walk = {by_images || patches ? plan.ld : g.stride_x * g.in,
                       row_floats,
                       g.kernel_width * g.in,
                       0,
                       0,
                       by_images ? image_out : ld_out};

    const auto flush = [&](const PixelTile* tiles, Index count) {
      for (Index unit = units.begin; unit < units.end; unit += kColumns)
        run_panel(tiles, count, walk, panels + (unit - units.begin) * chain, chain, partial,
                  Finish{epilogue, to_out + unit, walk.ld_out, unit, smaller(kColumns, g.out - unit)});
      if (args.drop && !args.pools)
        for (Index i = 0; i < count; i++)
          for (Index pixel = 0; pixel < tiles[i].pixels; pixel++)
            epilogue.drop_row((tiles[i].out + pixel * walk.ld_out) / g.out, units);
    };
    TileList list(flush);

    if (patches) {
      float* to = block;
      for (Index image = images.begin; image < images.end; image++)
        for (Index oy = rows.begin; oy < rows.end; oy++, to += plan.width * plan.ld)
          gather_patches(g, args.x + image * image_floats, args.x + g.n * image_floats, oy, to, plan.ld);
      // One band of one image, or all rows of several: contiguous pixels of the output.
      for_pixel_tiles<kRows>((to - block) / plan.ld, [&](Index pixel, Index pixels) {
        list.add(walk.tile(block + pixel * plan.ld, 0, 1, 1, chain, pixels, first_out + pixel * ld_out));
      });
    } else if (plan.copied)
      for (Index image = images.begin; image < images.end; image++) {
        const float* from = args.x + image * image_floats + read.begin * g.width * g.in;
        float* to = block + (image - images.begin) * plan.ld;
        if (by_images)
          copy_floats(from, (read.end - read.begin) * row_floats, to);
        else
          frame_image(from, read.end - read.begin, g.width, g.in, g.pad_x, g.pad_x, to);
      }
    for (Index image = images.begin; image < images.end && !patches; image += by_images ? kRows : 1)
      for (Index oy = rows.begin; oy < rows.end; oy++) {
        const Index top = oy * g.stride_y - g.pad_y;
        const Range r = rows_inside(top, g.kernel_height, g.height);
        const float* row =
            plan.copied ? block + (image - images.begin) * plan.ld + (top + r.begin - read.begin) * row_floats
                        : args.x + image * image_floats + (top + r.begin) * row_floats;
        const Index out = first_out + (image - images.begin) * image_out + (oy - rows.begin) * row_out;
        if (by_images)
          for (Index ox = 0; ox < plan.width; ox++) {
            const Index left = ox * g.stride_x - g.pad_x;
            const Range s = rows_inside(left, g.kernel_width, g.width);
            list.add(walk.tile(row + (left + s.begin) * g.in, (r.begin * g.kernel_width + s.begin) * g.in,
                               r.end - r.begin, 1, (s.end - s.begin) * g.in, images.end - images.begin,
                               out + ox * ld_out));
          }
        else
          for_pixel_tiles<kRows>(plan.width, [&](Index ox, Index pixels) {
            list.add(walk.tile(row + ox * g.stride_x * g.in, r.begin * g.kernel_width * g.in, r.end - r.begin,
                               1, g.kernel_width * g.in, pixels, out + ox * ld_out));
          });
      }
    list.flush();
    const bool two = args.pool.kernel_height == 2 && args.pool.kernel_width == 2;
    const auto pool = two ? &Epilogue::pool<2, 2> : &Epilogue::pool<0, 0>;
    if (args.pools)
      for (Index image = images.begin; image < images.end; image++)
        for (Index py = band.begin; py < band.end; py++)
          for (Index px = 0; px < args.pool.out_width(); px++)
            (epilogue.*pool)(image, py, px, units,
                             sums + (image - images.begin) * image_out +
                                 (py - band.begin) * args.pool.stride_y * row_out +
                                 px * args.pool.stride_x * ld_out,
                             ld_out, row_out, words);
  }
}

} // namespace milliner::MILLINER_SET
