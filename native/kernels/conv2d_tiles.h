// What the forward and the input gradient of a convolution share: tiles of pixels whose chains are runs of
// contiguous floats.
//
// A tile is up to kRows pixels x kColumns channels. All its pixels meet the same positions of the kernel:
// they are the same pixel of neighbouring images, or neighbours in a row that lie inside the image (or its
// frame of zeros). So positions in the padding are no terms at all, and a stride leaves no gaps.
#pragma once

#include "kernels/conv2d_frame.h"
#include "kernels/micro_kernel.h"

namespace milliner::MILLINER_SET {
namespace {

struct PixelTile {
  const float* a; // the first run of the first pixel
  Range steps;    // of the chain, from its first run to its last; panels are as long as the longest chain
  Index rows, columns, length; // rows x columns runs of `length` steps
  Index pixels;
  Index out; // offset of the first pixel in the output

  bool is_empty() const { return rows <= 0 || columns <= 0 || length <= 0; }
};

// How runs follow each other, the same for all tiles.
struct Walk {
  Index lda;   // floats from pixel to pixel of a tile
  Index a_row; // floats of a, and steps of the chain, from a row of runs to the next
  Index row_steps;
  Index a_column;
  Index column_steps;
  Index ld_out; // floats of the output from pixel to pixel of a tile

  PixelTile tile(const float* a, Index first, Index rows, Index columns, Index length, Index pixels,
                 Index out) const {
    PixelTile t = {a, {first, first + 1}, rows, columns, length, pixels, out};
    if (t.is_empty())
      t.rows = t.steps.begin = 0, t.steps.end = 1;
    else
      t.steps.end = first + (rows - 1) * row_steps + (columns - 1) * column_steps + length;
    return t;
  }
};

template <int M>
MILLINER_INLINE void run_piece(const PixelTile& t, const Walk& walk, const float* panel, Range piece,
                               F (&tile)[M][kVectors]) {
  for (Index i = 0; i < t.rows; i++)
    for (Index j = 0; j < t.columns; j++) {
      const Index step = t.steps.begin + i * walk.row_steps + j * walk.column_steps;
      const Index begin = larger(step, piece.begin), end = smaller(step + t.length, piece.end);
      if (begin < end)
        run_chains(end - begin, t.a + i * walk.a_row + j * walk.a_column + (begin - step), walk.lda,
                   panel + begin * kColumns, kColumns, tile);
    }
}

// One piece of a tile's chains. `partial` keeps them from piece to piece; the last one goes to
// finish(tile, out), whose memory is fetched while it runs.
template <int M, class Finish>
__attribute__((noinline)) void tile_piece(const PixelTile& t, const Walk& walk, const float* panel,
                                          Range piece, float* partial, const Finish& finish) {
  F tile[M][kVectors];
  if (piece.end >= t.steps.end)
    finish.template fetch<M>(t.out);
  if (piece.begin <= t.steps.begin)
    clear(tile);
  else
    load_tile(tile, partial, kColumns);
  run_piece(t, walk, panel, piece, tile);
  if (piece.end >= t.steps.end)
    finish(tile, t.out);
  else
    store_tile(tile, partial, kColumns);
}

// All tiles x one panel of weights, [chain][kColumns], piece by piece.
// partial: count * kRows * kColumns floats.
template <class Finish>
inline void run_panel(const PixelTile* tiles, Index count, const Walk& walk, const float* panel, Index chain,
                      float* partial, const Finish& finish) {
  const Index piece = larger(even_blocks(chain, kConvolutionPiece), 1);
  for (Index begin = 0; begin < larger(chain, 1); begin += piece)
    for (Index i = 0; i < count; i++) {
      const PixelTile& t = tiles[i];
      if (begin < t.steps.end && t.steps.begin < begin + piece)
        with_rows(t.pixels, [&]<int M>() {
          tile_piece<M>(t, walk, panel, {begin, begin + piece}, partial + i * kRows * kColumns, finish);
        });
    }
}

// Collects tiles and flushes them in portions of kConvolutionTiles.
template <class Flush> struct TileList {
  const Flush& flush_tiles;
  Index count = 0;
  PixelTile tiles[kConvolutionTiles];

  explicit TileList(const Flush& flush) : flush_tiles(flush) {}
  void add(const PixelTile& tile) {
    tiles[count++] = tile;
    if (count == kConvolutionTiles)
      flush();
  }
  void flush() {
    if (count > 0)
      flush_tiles(tiles, count);
    count = 0;
  }
};

// The k-th of `parts` nearly equal parts of count.
constexpr Range part_of(Index count, Index parts, Index k) {
  return {count * k / parts, count * (k + 1) / parts};
}

// Where the pixels of a tile come from, and what is one item of work.
enum class Layout { patches, images, rows };

// Pairs of a kernel column and an output column that meet inside a row of the image:
// without padding all of them.
inline Index met_columns(const Conv2dGeometry& g) {
  Index met = 0;
  for (Index s = 0; s < g.kernel_width; s++) {
    const Index first = larger(0, ceil_div(g.pad_x - s, g.stride_x));
    const Index end = smaller(g.out_width(), (g.width - 1 + g.pad_x - s) / g.stride_x + 1);
    met += g.width - 1 + g.pad_x - s < 0 ? 0 : larger(0, end - first);
  }
  return met;
}

struct Blocks {
  Layout layout;
  Index groups;      // of images
  Index bands;       // of rows of the output
  Index unit_groups; // of channels of the output
  Index items() const { return groups * bands * unit_groups; }
};

// A block is a group of images x a band of rows of the output, whose input takes floats(rows) an image. In a
// layout by images the group is a tile high; otherwise it is one image, or as many whole ones as keep the
// weights in L1 busy.
template <class Floats>
constexpr Blocks cut_into_blocks(Layout layout, Index n, Index height, Index width, Index units,
                                 const Floats& floats) {
  Index images = layout == Layout::images ? kRows : 1, rows = larger(height, 1);
  while (rows > 1 && images * floats(rows) > kConvolutionBlock)
    rows--;
  if (layout != Layout::images && rows == height) {
    const Index enough = ceil_div(kConvolutionTiles * kRows, larger(height * width, 1));
    images = smaller(enough, larger(kConvolutionBlock / larger(floats(rows), 1), 1));
  }
  return {layout, ceil_div(n, images), ceil_div(height, rows), ceil_div(units, kConvolutionGroup)};
}

} // namespace
} // namespace milliner::MILLINER_SET
