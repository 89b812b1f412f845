// The weight gradient of a convolution where most of dy is zero. Every output channel lists its terms among
// the pixels of a block, a few images or a band of one. A tile is an output channel by up to kSparseColumns
// neighbouring weights of a kernel row: the images under a block are packed with a frame of zeros and a slice
// of the input channels at a time, so that what a kernel row sees under a pixel is one contiguous run, the
// same slice serves all kernel rows, and it stays in L1. Images of few channels become patches, whose
// runs are whole chains. For a block whose images are not finite every pixel is listed, zero or not: 0 * NaN is
// NaN, and a chain must have it.
#pragma once

#include "kernels/conv2d_patches.h"
#include "kernels/panels.h"
#include "kernels/terms.h"

namespace milliner::MILLINER_SET {
namespace {

struct SparseWeightPlan {
  // Output channels that one thread may take: a cache line of dy.
  static constexpr Index kItem = 16;

  bool patches;
  Index slice, slices; // input channels of a panel, and how many panels make all
  Index tiles;         // of an output channel and a panel: kernel rows, or parts of a patch
  Index columns;       // weights of a tile
  Index width;         // pixels in a row of the panel
  Index ld, ld_tile;   // floats of the panel from pixel to pixel, and from tile to tile
  Index images, band;  // of a block at most: images, and rows of the output
  Index rows;          // of the panel, an image
  Index group;         // output channels whose partial chains are kept

  explicit SparseWeightPlan(const Conv2dGeometry& g)
      : patches(g.kernel_width * g.in < kConvolutionRun && g.kernel_height * g.kernel_width > 1) {
    const Index out_width = larger(g.out_width(), 0), out_height = larger(g.out_height(), 1);
    slices = patches ? 1 : ceil_div(g.in, larger(kSparseColumns / g.kernel_width, 1));
    slice = ceil_div(g.in, larger(slices, 1));
    columns = patches ? smaller(vectors_of_panels(g.chain()) * kLanes, g.chain()) : g.kernel_width * slice;
    tiles = patches ? ceil_div(g.chain(), larger(columns, 1)) : g.kernel_height;
    width = patches ? out_width : larger((out_width - 1) * g.stride_x + g.kernel_width, g.pad_x + g.width);
    ld = patches ? patch_stride(g) : slice;
    ld_tile = patches ? columns : width * slice;
    const auto floats = [&](Index of_output) {
      return (patches ? of_output : (of_output - 1) * g.stride_y + g.kernel_height) * width * ld;
    };
    band = out_height; // evenly cut
    while (band > 1 && floats(band) > kSparsePixels)
      band--;
    images = band < out_height ? 1 : larger(smaller(g.n, kSparsePixels / larger(floats(band), 1)), 1);
    band = ceil_div(out_height, ceil_div(out_height, band));
    images = ceil_div(larger(g.n, 1), ceil_div(larger(g.n, 1), images));
    rows = patches ? band : (band - 1) * g.stride_y + g.kernel_height;
    group = larger(smaller(g.out, kSparseSums / larger(sums_of_channel(), 1) / kItem * kItem), kItem);
  }

  // Wider tiles are left to the dense product.
  bool fits() const { return columns > 0 && columns <= kSparseColumns; }
  Index sums_of_channel() const { return slices * tiles * vectors_over(columns) * kLanes; }
  Index pixels(const Conv2dGeometry& g) const { return images * band * larger(g.out_width(), 0); }
  Index panel() const { return images * rows * width * ld + kSparseColumns; }

  std::size_t workspace(const Conv2dGeometry& g) const {
    return static_cast<std::size_t>(panel() + group * sums_of_channel() + kItem * pixels(g) +
                                    term_floats(pixels(g) * group) + (group + 1) + pixels(g) +
                                    group * slices * tiles);
  }
};

// Whether the weight gradient is computed by terms.
inline bool is_sparse_weight_gradient(const Conv2dGeometry& g, const float* dy) {
  return SparseWeightPlan(g).fits() &&
         is_sparse_gradient(dy, g.n * larger(g.out_height(), 0) * larger(g.out_width(), 0), g.out);
}

// The images under rows `rows` of the output of `images`, channels [channel, channel + channels).
inline void pack_slice(const Conv2dGeometry& g, const SparseWeightPlan& plan, const float* x, Range images,
                       Range rows, Index channel, Index channels, float* to) {
  const Index image_floats = g.height * g.width * g.in;
  for (Index image = images.begin; image < images.end; image++) {
    if (plan.patches) {
      for (Index oy = rows.begin; oy < rows.end; oy++, to += plan.width * plan.ld)
        gather_patches(g, x + image * image_floats, x + g.n * image_floats, oy, to, plan.ld);
      continue;
    }
    const Index top = rows.begin * g.stride_y - g.pad_y;
    for (Index row = 0; row < plan.rows; row++, to += plan.width * plan.ld) {
      const Index iy = top + row;
      if (iy < 0 || iy >= g.height) {
        zero_floats(to, plan.width * plan.ld);
        continue;
      }
      const float* from = x + image * image_floats + iy * g.width * g.in + channel;
      float* pixel = to + g.pad_x * plan.ld;
      zero_floats(to, g.pad_x * plan.ld);
      for (Index i = 0; i < g.width; i++, pixel += plan.ld, from += g.in)
        copy_floats(from, channels, pixel);
      zero_floats(pixel, (plan.width - g.pad_x - g.width) * plan.ld);
    }
  }
}

// Whether the images' rows under rows `rows` of the output are finite.
inline bool is_finite_under(const Conv2dGeometry& g, const float* x, Range images, Range rows) {
  const Index first = larger(rows.begin * g.stride_y - g.pad_y, 0);
  const Index last = smaller((rows.end - 1) * g.stride_y - g.pad_y + g.kernel_height, g.height);
  const Index row = g.width * g.in;
  return is_finite(x + (images.begin * g.height + first) * row, images.end - images.begin,
                   larger(last - first, 0) * row, g.height * row);
}

// The gradient of output channels `outputs`. is_needed(o, at, count) tells whether any of these weights of the
// channel's chain is wanted; finish(o, at, count, gradient) gets their sums, but for the zero that is to be
// added at the end.
template <class IsNeeded, class Finish>
MILLINER_INLINE void sparse_weight_gradient(const Conv2dGeometry& g, const float* dy, const float* x,
                                            Range outputs, float* workspace, const IsNeeded& is_needed,
                                            const Finish& finish) {
  const SparseWeightPlan plan(g);
  const Index out_height = g.out_height(), out_width = g.out_width();
  const Index most_pixels = plan.pixels(g), tile_floats = vectors_over(plan.columns) * kLanes;
  float* panel = workspace;
  float* sums = panel + plan.panel();
  float* dyt = sums + plan.group * plan.sums_of_channel();
  float* lists = dyt + SparseWeightPlan::kItem * most_pixels;
  Term* terms = reinterpret_cast<Term*>(lists);
  auto* starts = reinterpret_cast<std::int32_t*>(lists + term_floats(most_pixels * plan.group));
  std::int32_t* steps = starts + plan.group + 1;
  std::int32_t* needed = steps + most_pixels;

  // Where the panel has what a pixel of the output sees first.
  const Index stride_y = plan.patches ? 1 : g.stride_y, stride_x = plan.patches ? 1 : g.stride_x;
  for (Index i = 0, pixel = 0; i < plan.images; i++)
    for (Index oy = 0; oy < plan.band; oy++)
      for (Index ox = 0; ox < out_width; ox++, pixel++)
        steps[pixel] =
            static_cast<std::int32_t>((i * plan.rows + oy * stride_y) * plan.width + ox * stride_x);

  // Calls run(at, count, floats of the tile before it) for each run of the chain that a tile of a slice has.
  const auto for_runs = [&](Index slice, Index tile, const auto& run) {
    if (plan.patches) {
      run(tile * plan.columns, smaller(plan.columns, g.chain() - tile * plan.columns), Index{0});
      return;
    }
    const Index channel = slice * plan.slice, channels = smaller(plan.slice, g.in - channel);
    for (Index s = 0; s < g.kernel_width; s++)
      run((tile * g.kernel_width + s) * g.in + channel, channels, s * plan.slice);
  };

  for (Index o0 = outputs.begin; o0 < outputs.end; o0 += plan.group) {
    const Index group = smaller(plan.group, outputs.end - o0);
    for (Index slice = 0; slice < plan.slices; slice++)
      for (Index o = 0; o < group; o++)
        for (Index tile = 0; tile < plan.tiles; tile++) {
          std::int32_t& any = needed[(slice * group + o) * plan.tiles + tile];
          any = 0;
          for_runs(slice, tile,
                   [&](Index at, Index count, Index) { any |= is_needed(o0 + o, at, count) ? 1 : 0; });
        }

    bool first = true;
    for (Index image = 0; image < g.n; image += plan.images)
      for (Index oy = 0; oy < out_height; oy += plan.band) {
        const Range images = {image, smaller(g.n, image + plan.images)};
        const Range rows = {oy, smaller(out_height, oy + plan.band)};
        const Index pixels = (images.end - images.begin) * (rows.end - rows.begin) * out_width;
        const float* from = dy + (image * out_height + oy) * out_width * g.out + o0;
        const bool finite = is_finite_under(g, x, images, rows);
        const auto step_of = [&](Index i, Index lanes) {
          return (U)load_first(reinterpret_cast<const float*>(steps + i), lanes);
        };
        Term* listed = terms;
        for (Index o = 0; o < group; o += SparseWeightPlan::kItem) {
          const Index count = smaller(SparseWeightPlan::kItem, group - o);
          transpose(from + o, g.out, pixels, count, dyt, pixels);
          for (Index c = 0; c < count; c++) {
            starts[o + c] = static_cast<std::int32_t>(listed - terms);
            listed = finite ? list_terms(dyt + c * pixels, pixels, listed, step_of)
                            : list_all(dyt + c * pixels, pixels, listed, steps);
          }
        }
        starts[group] = static_cast<std::int32_t>(listed - terms);
        const Region next = {from + pixels * g.out, g.out, pixels, group}; // of dy

        float* chains = sums;
        const std::int32_t* tile_needed = needed;
        for (Index slice = 0; slice < plan.slices; slice++) {
          const Index channel = slice * plan.slice;
          pack_slice(g, plan, x, images, rows, channel, smaller(plan.slice, g.in - channel), panel);
          with_vectors(vectors_over(plan.columns), [&]<int V>() {
            for (Index o = 0; o < group; o++) {
              if (slice == 0)
                next.fetch(o, group);
              const Term* of = terms + starts[o];
              const Index count = starts[o + 1] - starts[o];
              for (Index tile = 0; tile < plan.tiles; tile++, chains += V * kLanes)
                if (*tile_needed++ && (first || count > 0))
                  sparse_tile<V>(of, count, panel + tile * plan.ld_tile, plan.ld, chains, first);
            }
          });
        }
        first = false;
      }

    const float* chains = sums;
    const std::int32_t* tile_needed = needed;
    for (Index slice = 0; slice < plan.slices; slice++)
      for (Index o = 0; o < group; o++)
        for (Index tile = 0; tile < plan.tiles; tile++, chains += tile_floats)
          if (*tile_needed++)
            for_runs(slice, tile, [&](Index at, Index count, Index before) {
              finish(o0 + o, at, count, chains + before);
            });
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
