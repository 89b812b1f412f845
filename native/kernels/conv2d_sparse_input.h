// The input gradient of a convolution where most of dy is zero: max pooling gives a gradient to one pixel of
// its window, ReLU and dropout to fewer still. Every pixel of dy lists its terms; a tile is a pixel of dx by
// kSparseColumns input channels, and takes up one pixel of dy after the other, kernel position by position.
#pragma once

#include "kernels/conv2d_frame.h"
#include "kernels/finite.h"
#include "kernels/terms.h"

namespace milliner::MILLINER_SET {
namespace {

// Outputs that kernel position `at` joins with the places `to` of an image's side.
constexpr Range outputs_meeting(Index at, Index pad, Index stride, Range to, Range outputs) {
  const Index last = to.end - 1 + pad - at;
  const Index end = last < 0 ? 0 : smaller(outputs.end, last / stride + 1);
  return {larger(outputs.begin, ceil_div(to.begin + pad - at, stride)), end};
}

// Whether the input gradient is computed by terms: most of dy is zero, and nothing in w may not be left out.
inline bool is_sparse_input_gradient(const Conv2dInputGradient& args) {
  const Conv2dGeometry& g = args.geometry;
  return 4 * g.in >= kSparseColumns &&
         is_sparse_gradient(args.dy, g.n * larger(g.out_height(), 0) * larger(g.out_width(), 0), g.out) &&
         is_finite(args.w, 1, g.out * g.chain(), 0);
}

// Pixels of a block of dx and of the part of dy that it meets, and what they take of the workspace.
struct SparseInputBlock {
  Index dx, dy;

  constexpr std::size_t workspace(Index out) const {
    const Index pieces = ceil_div(out, kSparseConvolutionPiece);
    return static_cast<std::size_t>((kSparseConvolutionPiece + dx) * kSparseColumns + term_floats(dy * out) +
                                    dy * pieces + 1);
  }
};

// Rows `rows` and input channels `units` of `images`; `read` are the rows of dy that meet them.
inline void sparse_input_gradient(const Conv2dInputGradient& args, Range units, Range images, Range rows,
                                  Range read, float* workspace) {
  const Conv2dGeometry& g = args.geometry;
  const Index out_height = g.out_height(), out_width = g.out_width();
  const Index height = rows.end - rows.begin, read_pixels = (read.end - read.begin) * out_width;
  const SparseInputBlock block = {(images.end - images.begin) * height * g.width,
                                  (images.end - images.begin) * read_pixels};
  float* panel = workspace;
  float* chains = panel + kSparseConvolutionPiece * kSparseColumns;
  float* lists = chains + block.dx * kSparseColumns;
  Term* terms = reinterpret_cast<Term*>(lists);
  auto* starts = reinterpret_cast<std::int32_t*>(lists + term_floats(block.dy * g.out));

  Term* listed = terms;
  std::int32_t* start = starts;
  for (Index o = 0; o < g.out; o += kSparseConvolutionPiece)
    for (Index image = images.begin; image < images.end; image++) {
      const float* dy = args.dy + ((image * out_height + read.begin) * out_width) * g.out + o;
      for (Index pixel = 0; pixel < read_pixels; pixel++, dy += g.out) {
        *start++ = static_cast<std::int32_t>(listed - terms);
        listed = list_terms(dy, smaller(kSparseConvolutionPiece, g.out - o), listed);
      }
    }
  *start = static_cast<std::int32_t>(listed - terms);

  const Index width = vectors_of_panels(units.end - units.begin) * kLanes;
  for (Index unit = units.begin; unit < units.end; unit += width) {
    const Index columns = smaller(width, units.end - unit);
    with_vectors(vectors_over(columns), [&]<int V>() {
      constexpr Index ld = V * kLanes;
      zero_floats(chains, block.dx * ld);
      for (Index r = 0; r < g.kernel_height; r++)
        for (Index s = 0; s < g.kernel_width; s++) {
          const Range oy = outputs_meeting(r, g.pad_y, g.stride_y, rows, read);
          const Range ox = outputs_meeting(s, g.pad_x, g.stride_x, {0, g.width}, {0, out_width});
          if (oy.begin >= oy.end || ox.begin >= ox.end)
            continue;
          const std::int32_t* piece = starts;
          for (Index o = 0; o < g.out; o += kSparseConvolutionPiece, piece += block.dy) {
            const float* w = args.w + o * g.chain() + (r * g.kernel_width + s) * g.in + unit;
            for (Index t = 0; t < smaller(kSparseConvolutionPiece, g.out - o); t++)
              for (Index i = 0; i < ld; i += kLanes) {
                const Index lanes = smaller(larger(columns - i, 0), kLanes);
                store(panel + t * ld + i, load_first(w + t * g.chain() + (lanes > 0 ? i : 0), lanes));
              }
            for (Index image = 0; image < images.end - images.begin; image++)
              for (Index y = oy.begin; y < oy.end; y++) {
                const Index iy = y * g.stride_y + r - g.pad_y - rows.begin;
                float* to = chains + ((image * height + iy) * g.width + s - g.pad_x) * ld;
                const std::int32_t* of = piece + image * read_pixels + (y - read.begin) * out_width;
                for (Index x = ox.begin; x < ox.end; x++)
                  if (of[x] < of[x + 1])
                    sparse_tile<V>(terms + of[x], of[x + 1] - of[x], panel, ld, to + x * g.stride_x * ld,
                                   false);
              }
          }
        }
    });
    const Index ld = vectors_over(columns) * kLanes;
    const float* from = chains;
    for (Index image = images.begin; image < images.end; image++) {
      float* dx = args.dx + (image * g.height + rows.begin) * g.width * g.in + unit;
      for (Index pixel = 0; pixel < height * g.width; pixel++, dx += g.in, from += ld)
        for_vectors(0, columns,
                    [&](Index i, Index lanes) { store_first(dx + i, load(from + i) + F{}, lanes); });
    }
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
