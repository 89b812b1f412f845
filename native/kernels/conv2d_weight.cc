#include "kernels/conv2d.h"
#include "kernels/conv2d_sparse_weight.h"
#include "kernels/conv2d_tiles.h"
#include "kernels/linear_weight.h"
#include "kernels/panels.h"
#include "kernels/set.h"

// A tile is up to kRows output channels x kColumns neighbouring (kernel column, input channel) pairs of a
// kernel row. dy is transposed for a block of pixels, and the pairs under these pixels are packed into a
// panel [pixel][kColumns], so that a block is one long run whatever the width of a row. Pixels that a kernel
// row or column does not meet are left out of both where that pays; otherwise the panel has zeros there.
// Images of few channels become patches, and the lanes go through the whole chain.

namespace milliner::MILLINER_SET {
namespace {

struct Plan {
  bool patches;
  Index patch;        // floats of a patch
  Index rows, blocks; // rows of the output, of all images, and into how many blocks they are cut
  Index pixels;       // of a block at most
  Index ld;           // stride of the transposed dy
  Index units;        // output channels of a group
  Index panels;       // of the chain
  Index sums;         // floats of the partial chains between blocks, where they have no other place

  explicit Plan(const Conv2dGeometry& g)
      : patches(g.kernel_width * g.in < kConvolutionRun && g.kernel_height * g.kernel_width > 1),
        patch(patch_stride(g)) {
    const Index width = larger(g.out_width(), 0), height = larger(g.out_height(), 0);
    rows = g.n * height;
    blocks = larger(1, smaller(rows, (rows * width + kConvolutionPixels / 2) / kConvolutionPixels));
    pixels = ceil_div(rows, blocks) * width;
    ld = spread_stride(pixels + kLanes);
    units = smaller(round_up(g.out, kRows), kConvolutionRows);
    sums = blocks == 1 ? 0 : g.out * g.chain();
    panels =
        patches ? ceil_div(g.chain(), kColumns) : g.kernel_height * ceil_div(g.kernel_width * g.in, kColumns);
  }

  // An item is a tile. Those of a panel follow each other, so that threads pack different panels.
  Index tiles(Index group_units) const { return ceil_div(group_units, kRows); }
  Index items(const Conv2dGeometry& g) const {
    return g.chain() == 0 ? 0
                          : panels * (g.out / kConvolutionRows * tiles(kConvolutionRows) +
                                      tiles(g.out % kConvolutionRows));
  }

  std::size_t workspace(Index partial) const {
    return static_cast<std::size_t>(2 * units * ld + pixels * (patches ? patch : Index{kColumns}) + kColumns +
                                    partial);
  }
};

// Pixels of a block that a panel takes: of every row of the output that kernel row `kernel_row` meets,
// columns `ox`.
struct Taken {
  Index kernel_row;
  Range ox;
  bool operator==(const Taken& other) const {
    return kernel_row == other.kernel_row && ox.begin == other.ox.begin && ox.end == other.ox.end;
  }
};

// One block of pixels for one group of output channels.
struct Block {
  const Conv2dGeometry& g;
  const Plan& plan;
  const float* x;
  Range rows;   // of the output, of all images
  float* whole; // transposed dy
  float* part;  // the same without the pixels that are not taken
  float* panel;
  Taken gathered = {-1, {0, 0}};

  bool meets(Index row, Index r) const {
    const Index iy = row % g.out_height() * g.stride_y + r - g.pad_y;
    return iy >= 0 && iy < g.height;
  }

  Index rows_met(Index r) const {
    Index met = 0;
    for (Index row = rows.begin; row < rows.end; row++)
      met += meets(row, r) ? 1 : 0;
    return met;
  }

  // Columns of the output that kernel column s meets.
  Range columns_met(Index s) const {
    const Index last = g.width - 1 + g.pad_x - s;
    const Index end = last < 0 ? 0 : smaller(g.out_width(), last / g.stride_x + 1);
    return {smaller(larger(0, ceil_div(g.pad_x - s, g.stride_x)), end), end};
  }

  void transpose_dy(const float* dy, Range units) {
    const Index width = g.out_width();
    transpose(dy + rows.begin * width * g.out + units.begin, g.out, (rows.end - rows.begin) * width,
              units.end - units.begin, whole, plan.ld);
    gathered = {-1, {0, 0}};
  }

  // Leaves the pixels that are not taken out of the transposed dy. Whole vectors are written, the next row
  // over their rest.
  void gather_dy(const Taken& taken, Index units) {
    if (taken == gathered)
      return;
    gathered = taken;
    const Index count = taken.ox.end - taken.ox.begin, width = g.out_width();
    for (Index unit = 0; unit < units; unit++) {
      float* to = part + unit * plan.ld;
      const float* from = whole + unit * plan.ld + taken.ox.begin;
      for (Index row = rows.begin; row < rows.end; row++, from += width)
        if (meets(row, taken.kernel_row)) {
          for (Index i = 0; i < count; i += kLanes)
            store(to + i, load(from + i));
          to += count;
        }
    }
  }

  // Packs pairs [pair, pair + lanes) of a kernel row under the columns `ox` of every row of the output; rows
  // that it does not meet are left out, or zeros. Returns how many pixels these are.
  Index pack_pairs(Index r, Index pair, Index lanes, Range ox, bool leave_out) const {
    const Index first = pair / g.in, last = (pair + lanes - 1) / g.in;
    // Outputs under which all of these pairs lie inside the image.
    const Range a = columns_met(first), b = columns_met(last);
    const Index begin = larger(larger(a.begin, b.begin), ox.begin);
    const Range inside = {smaller(begin, ox.end),
                          larger(smaller(begin, ox.end), smaller(smaller(a.end, b.end), ox.end))};
    float* to = panel;
    for (Index row = rows.begin; row < rows.end; row++) {
      if (!meets(row, r)) {
        if (leave_out)
          continue;
        for (Index i = 0; i < (ox.end - ox.begin) * kColumns; i += kLanes)
          store(to + i, F{});
        to += (ox.end - ox.begin) * kColumns;
        continue;
      }
      const Index image = row / g.out_height(), iy = row % g.out_height() * g.stride_y + r - g.pad_y;
      const float* from = x + ((image * g.height + iy) * g.width - g.pad_x) * g.in + pair;
      to = pack_border(from, {ox.begin, inside.begin}, pair, lanes, to);
      if (lanes == kColumns)
        for (Index o = inside.begin; o < inside.end; o++, to += kColumns)
          for (int j = 0; j < kVectors; j++)
            store(to + j * kLanes, load(from + o * g.stride_x * g.in + j * kLanes));
      else {
        pack_rows(from + inside.begin * g.stride_x * g.in, g.stride_x * g.in, lanes,
                  inside.end - inside.begin, to);
        to += (inside.end - inside.begin) * kColumns;
      }
      to = pack_border(from, {inside.end, ox.end}, pair, lanes, to);
    }
    return (to - panel) / kColumns;
  }

  // The same at the border of the image: the pairs of a kernel column that lies outside are zeros.
  float* pack_border(const float* from, Range ox, Index pair, Index lanes, float* to) const {
    for (Index o = ox.begin; o < ox.end; o++, to += kColumns) {
      MILLINER_UNROLL for (int j = 0; j < kVectors; j++) store(to + j * kLanes, F{});
      const Index left = o * g.stride_x - g.pad_x;
      const Range s = rows_inside(left, g.kernel_width, g.width);
      for (Index lane = larger(s.begin * g.in - pair, 0); lane < smaller(s.end * g.in - pair, lanes); lane++)
        to[lane] = from[o * g.stride_x * g.in + lane];
    }
    return to;
  }
};

// One tile's piece of its chains: `sums` keeps them from block to block, in rows `chain` apart.
struct WeightTile {
  Index pixels;
  const float* dy; // transposed, rows ld apart
  Index ld;
  const float* panel;
  Index ld_panel;
  float* sums;
  Index chain, columns;
  bool first, last;
  const float* next; // what a later block will transpose: fetched on the way

  template <int M, class Finish> __attribute__((noinline)) void run(const Finish& finish) const {
    F tile[M][kVectors];
    clear(tile);
    if (!first && columns == kColumns)
      load_tile(tile, sums, chain);
    else if (!first)
      load_columns(tile, sums, chain, columns);
    // Line after line: two groups of three, then six lines further.
    run_chains<M, kVectors, Fetch::to_read>(pixels, dy, ld, panel, ld_panel, tile,
                                            {next, 16, 16 * 3 * kFetchGroups});
    if (last) {
      add_zero(tile);
      finish(tile);
    } else if (columns == kColumns)
      store_tile(tile, sums, chain);
    else
      store_columns(tile, sums, chain, columns);
  }
};

// All tiles of `items`: finish(unit, rows, pair, columns) says what becomes of a tile, or that it is not
// needed. sums: where partial chains lie between blocks, [out][chain].
template <class Finish>
MILLINER_INLINE void for_weights(const Conv2dGeometry& g, const float* dy, const float* x, Range items,
                                 float* sums, float* workspace, const Finish& finish) {
  const Plan plan(g);
  const Index chain = g.chain(), width = g.out_width(), run = g.kernel_width * g.in;
  const Index row_panels = ceil_div(run, kColumns);
  float* whole = workspace;
  float* gathered = whole + plan.units * plan.ld;
  float* panel = gathered + plan.units * plan.ld;

  Index group_items = 0; // before this group
  for (Index unit0 = 0; unit0 < g.out; unit0 += kConvolutionRows) {
    const Index units = smaller(kConvolutionRows, g.out - unit0), tiles = plan.tiles(units);
    const Range mine = {larger(items.begin - group_items, 0),
                        smaller(items.end - group_items, plan.panels * tiles)};
    group_items += plan.panels * tiles;
    if (mine.begin >= mine.end)
      continue;
    for (Index index = 0; index < plan.blocks; index++) {
      Block block = {g, plan, x, part_of(plan.rows, plan.blocks, index), whole, gathered, panel};
      block.transpose_dy(dy, {unit0, unit0 + units});
      const Index block_pixels = (block.rows.end - block.rows.begin) * width;
      // Tiles fetch the gradients of the next block, or prefetches that hit when these are through.
      const float* next = dy + block.rows.end * width * g.out + unit0;
      const float* next_end = index + 1 < plan.blocks ? next + block_pixels * g.out : next;

      if (plan.patches) {
        float* to = panel;
        for (Index row = block.rows.begin; row < block.rows.end; row++, to += width * plan.patch)
          gather_patches(g, x + row / g.out_height() * g.height * g.width * g.in,
                         x + g.n * g.height * g.width * g.in, row % g.out_height(), to, plan.patch);
      }
      Index counted = -1, rows_met = 0; // of this kernel row
      for (Index p = mine.begin / tiles; p * tiles < mine.end; p++) {
        const float *dyt = whole, *from = panel;
        Index pixels = block_pixels, ld_panel = kColumns, at, columns;
        if (plan.patches) {
          at = p * kColumns, columns = smaller(kColumns, chain - at);
          from = panel + at, ld_panel = plan.patch;
        } else {
          const Index r = p / row_panels, pair = p % row_panels * kColumns;
          at = r * run + pair, columns = smaller(kColumns, run - pair);
          const Range a = block.columns_met(pair / g.in), b = block.columns_met((pair + columns - 1) / g.in);
          const Range ox = {smaller(a.begin, b.begin), larger(a.end, b.end)};
          if (r != counted)
            rows_met = block.rows_met(r), counted = r;
          const Index taken = rows_met * larger(ox.end - ox.begin, 0);
          // Leaving pixels out costs about a third of a panel's work,
          // for all panels of a kernel column together.
          const bool leave_out = 3 * (block_pixels - taken) * ceil_div(g.in, kColumns) > block_pixels;
          if (leave_out) {
            block.gather_dy({r, ox}, units);
            dyt = gathered;
          }
          pixels = block.pack_pairs(r, pair, columns, leave_out ? ox : Range{0, width}, leave_out);
        }
        for (Index t = larger(mine.begin - p * tiles, 0); t < smaller(mine.end - p * tiles, tiles); t++) {
          const Range rows = part_of(units, tiles, t);
          const Index unit = unit0 + rows.begin, count = rows.end - rows.begin;
          const auto end = finish(unit, count, at, columns);
          if (!end.is_needed)
            continue;
          const WeightTile tile = {pixels,     dyt + rows.begin * plan.ld, plan.ld, from,
                                   ld_panel,   sums + unit * chain + at,   chain,   columns,
                                   index == 0, index + 1 == plan.blocks,   next};
          with_rows(count, [&]<int M>() { tile.template run<M>(end); });
          if (next < next_end)
            next += pixels / kFetchSteps * 48;
        }
      }
    }
  }
}

struct WriteTile {
  float* dw;
  Index chain, columns;
  bool is_needed;

  template <int M> MILLINER_INLINE void operator()(const F (&tile)[M][kVectors]) const {
    if (columns == kColumns)
      store_tile(tile, dw, chain);
    else
      store_columns(tile, dw, chain, columns);
  }
};

// Bits [first, first + count) of a row of lock words.
inline std::uint32_t lock_bits(const std::uint32_t* words, Index first, Index count) {
  const Index shift = first & 31;
  std::uint32_t bits = words[first >> 5] >> shift;
  if (shift + count > 32)
    bits |= words[(first >> 5) + 1] << (32 - shift);
  return count == 32 ? bits : bits & ((1u << count) - 1u);
}

// Output channels of a thread's items, where the gradient is computed by terms.
Range outputs_of(Range items, const Conv2dGeometry& g) {
  return {items.begin * SparseWeightPlan::kItem, smaller(g.out, items.end * SparseWeightPlan::kItem)};
}

// sums: floats that partial chains take of the workspace.
Work weight_work(const Conv2dGeometry& g, const float* dy, Index sums) {
  const double nanoseconds = g.flops() / kFlopsPerNanosecond;
  if (is_sparse_weight_gradient(g, dy))
    return {ceil_div(g.out, SparseWeightPlan::kItem), nanoseconds, SparseWeightPlan(g).workspace(g)};
  const Plan plan(g);
  return {plan.items(g), nanoseconds, plan.workspace(sums)};
}

struct UpdateTile {
  float* w;
  Index chain, columns;
  float lr;
  bool is_needed, plain;
  std::uint32_t writable[kRows];

  template <int M> MILLINER_INLINE void operator()(const F (&tile)[M][kVectors]) const {
    const F step = splat(-lr);
    MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
      if (j * kLanes >= columns)
        break;
      MILLINER_UNROLL for (int i = 0; i < M; i++) {
        float* p = w + i * chain + j * kLanes;
        if (plain) {
          store(p, fma(step, tile[i][j], load(p)));
        } else {
          const I lanes = lanes_of(writable[i] >> (j * kLanes));
          store_lanes(p, fma(step, tile[i][j], load_lanes(p, lanes)), lanes);
        }
      }
    }
  }
};

} // namespace

Work conv2d_weight_gradient_work(const Conv2dWeightGradient& args) noexcept {
  return weight_work(args.geometry, args.dy, 0);
}

void conv2d_weight_gradient_run(const Conv2dWeightGradient& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Index chain = g.chain();
  if (is_sparse_weight_gradient(g, args.dy)) {
    sparse_weight_gradient(
        g, args.dy, args.x, outputs_of(items, g), workspace, [](Index, Index, Index) { return true; },
        [&](Index o, Index at, Index count, const float* gradient) {
          float* dw = args.dw + o * chain + at;
          for_vectors(0, count, [&](Index i, Index lanes) {
            store_first(dw + i, load_first(gradient + i, lanes) + F{}, lanes);
          });
        });
    return;
  }
  for_weights(g, args.dy, args.x, items, args.dw, workspace, [&](Index unit, Index, Index at, Index columns) {
    return WriteTile{args.dw + unit * chain + at, chain, columns, true};
  });
}

Work conv2d_weight_update_work(const Conv2dWeightUpdate& args) noexcept {
  return weight_work(args.geometry, args.dy, Plan(args.geometry).sums);
}

void conv2d_weight_update_run(const Conv2dWeightUpdate& args, Range items, float* workspace) noexcept {
  const Conv2dGeometry& g = args.geometry;
  const Index chain = g.chain(), words = lock_words(chain);
  // Of neighbouring weights of an output channel, at most 32, those that are not locked.
  const auto writable = [&](Index unit, Index at, Index columns) {
    const std::uint32_t all = columns == 32 ? ~0u : (1u << columns) - 1u;
    return args.locks ? ~lock_bits(args.locks + unit * words, at, columns) & all : all;
  };
  if (is_sparse_weight_gradient(g, args.dy)) {
    const F step = splat(-args.lr);
    sparse_weight_gradient(
        g, args.dy, args.x, outputs_of(items, g), workspace,
        [&](Index o, Index at, Index count) {
          std::uint32_t any = 0;
          for (Index i = 0; i < count; i += 32)
            any |= writable(o, at + i, smaller(32, count - i));
          return any != 0;
        },
        [&](Index o, Index at, Index count, const float* gradient) {
          float* w = args.w + o * chain + at;
          for_vectors(0, count, [&](Index i, Index lanes) {
            const F v = load_first(gradient + i, lanes) + F{};
            const std::uint32_t bits = writable(o, at + i, lanes);
            if (bits == (1u << lanes) - 1u) {
              store_first(w + i, fma(step, v, load_first(w + i, lanes)), lanes);
            } else {
              const I free = lanes_of(bits);
              store_lanes(w + i, fma(step, v, load_lanes(w + i, free)), free);
            }
          });
        });
    return;
  }
  const Plan plan(g);
  for_weights(g, args.dy, args.x, items, workspace, workspace + plan.sums,
              [&](Index unit, Index rows, Index at, Index columns) {
                UpdateTile tile = {args.w + unit * chain + at, chain, columns, args.lr, true,
                                   columns == kColumns,        {}};
                const std::uint32_t all = columns == 32 ? ~0u : (1u << columns) - 1u;
                std::uint32_t any = 0;
                for (Index i = 0; i < rows; i++) {
                  tile.writable[i] = writable(unit + i, at, columns);
                  any |= tile.writable[i];
                  tile.plain = tile.plain && tile.writable[i] == all;
                }
                tile.is_needed = any != 0;
                return tile;
              });
}

} // namespace milliner::MILLINER_SET
