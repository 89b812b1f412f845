#include "kernels/linear_weight.h"

#include "kernels/bf16/block.h"
#include "kernels/bf16/set.h"
#include "kernels/update_rule.h"

// Rows of the sums are units, columns inputs, terms rows of the batch: dy is transposed and rounded once, x
// is rounded once with neighbouring rows interleaved, in groups of inputs that stay in L2. A block of 32 x 32
// sums has one word of locks in every row, and becomes dw or a step of w while it is in L1.

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kGroupBytes = 1 << 19; // of rounded x, a quarter of L2

struct Plan {
  Index steps, group; // group: inputs whose x is rounded at a time

  Plan(Index n, Index k) : steps(tile_steps(n)) {
    const Index strip_pair = larger(steps, 1) * kBlockSide * kTileDepth * 2;
    group = smaller(larger(kGroupBytes / strip_pair, 1) * kBlockSide, round_up(k, kBlockSide));
  }
  std::size_t workspace(Index m) const {
    return static_cast<std::size_t>((strips(group) + strips(round_up(m, kBlockSide))) * steps * kTileFloats +
                                    kBlockSide * kBlockSide);
  }
};

// Strips of the left operand from columns [0, columns) of dy, which begin ld floats apart in its n rows.
void round_columns(const float* dy, Index ld, Index columns, Index n, float* strip) {
  alignas(64) float tile[kTileSide * kTileDepth];
  for (Index t = 0; t < n; t += kTileDepth, strip += kTileFloats) {
    const Index rows = smaller(kTileDepth, n - t);
    transpose(dy + t * ld, ld, rows, columns, tile, kTileDepth);
    round_strip(tile, kTileDepth, columns, rows, strip);
  }
}

// Calls finish(rows, first row, k0, columns, sums) for the blocks of rows [begin, end) for which
// wanted(rows, first row, k0) holds; rows of the sums begin kBlockSide floats apart.
template <class Wanted, class Finish>
MILLINER_INLINE void for_blocks(const float* dy, const float* x, Index n, Index k, Index m, Index begin,
                                Index end, float* workspace, const Wanted& wanted, const Finish& finish) {
  const Plan plan(n, k);
  const Index ld = plan.steps * kTileFloats;
  float* b = workspace;
  float* a = b + strips(plan.group) * ld;
  float* sums = a + strips(round_up(m, kBlockSide)) * ld;
  Tiles tiles;
  for (Index row = begin; row < end; row += kTileSide)
    round_columns(dy + row, m, smaller(kTileSide, end - row), n, a + (row - begin) / kTileSide * ld);
  for (Index group = 0; group < k; group += plan.group) {
    const Index group_end = smaller(group + plan.group, k);
    for (Index k0 = group; k0 < group_end; k0 += kTileSide)
      round_strip_paired(x + k0, k, smaller(kTileSide, group_end - k0), n, b + (k0 - group) / kTileSide * ld);
    for (Index row = begin; row < end; row += kBlockSide)
      for (Index k0 = group; k0 < group_end; k0 += kBlockSide) {
        const Index rows = smaller(kBlockSide, end - row), columns = smaller(kBlockSide, group_end - k0);
        if (!wanted(rows, row, k0))
          continue;
        multiply_block(tiles, rows, columns, plan.steps, a + (row - begin) / kTileSide * ld, ld,
                       b + (k0 - group) / kTileSide * ld, ld, sums, kBlockSide, true);
        finish(rows, row, k0, columns, sums);
      }
  }
}

// One row of a block: the elements whose bit in `writable` is 1 step by their gradient
// times 1 - min(post, pre).
template <class Rule>
MILLINER_INLINE void step_row(const Rule& rule, const Streams<Rule::kStreams>& streams, Index offset,
                              const float* sums, std::uint32_t writable, const float* post, const float* pre,
                              Index columns) {
  for_vectors(0, columns, [&](Index j, Index count) {
    const std::uint32_t all = (1u << kLanes) - 1u, bits = writable >> j & ((1u << count) - 1u);
    if (bits == 0)
      return;
    F g = load_first(sums + j, count) + F{};
    if (post) {
      const F unit = splat(*post);
      const F input = pre ? load_first(pre + j, count) : unit;
      g = g * (splat(1.0f) - ((unit < input) | (unit != unit) ? unit : input));
    }
    if (bits == all)
      step_vector(rule, g, streams, offset + j);
    else
      step_lanes(rule, g, streams, offset + j, bits);
  });
}

double weight_nanoseconds(Index n, Index k, Index m, int streams) {
  return tile_nanoseconds(n, k, m, 8.0 * streams * static_cast<double>(m) * static_cast<double>(k));
}

template <class Args> Work update_work(const Args& args, int streams) {
  return {args.k == 0 ? 0 : ceil_div(args.m, kBlockSide), weight_nanoseconds(args.n, args.k, args.m, streams),
          Plan(args.n, args.k).workspace(args.m)};
}

template <class Rule, class Args>
void update_run(const Rule& rule, const Streams<Rule::kStreams>& streams, const Args& args, Range items,
                float* workspace) {
  const Index begin = items.begin * kBlockSide, end = smaller(items.end * kBlockSide, args.m);
  const Index words = lock_words(args.k);
  static_assert(kBlockSide == 32); // a word of locks for every row of a block
  const auto writable = [&](Index row, Index k0) {
    return args.locks ? ~args.locks[row * words + (k0 >> 5)] : 0xFFFFFFFFu;
  };
  for_blocks(
      args.dy, args.x, args.n, args.k, args.m, begin, end, workspace,
      [&](Index rows, Index row, Index k0) {
        const Index columns = smaller(kBlockSide, args.k - k0);
        const std::uint32_t inside = columns == 32 ? 0xFFFFFFFFu : (1u << columns) - 1u;
        for (Index i = 0; i < rows; i++)
          if (writable(row + i, k0) & inside)
            return true;
        return false;
      },
      [&](Index rows, Index row, Index k0, Index columns, const float* sums) {
        for (Index i = 0; i < rows; i++)
          step_row(rule, streams, (row + i) * args.k + k0, sums + i * kBlockSide, writable(row + i, k0),
                   args.post ? args.post + row + i : nullptr, args.pre ? args.pre + k0 : nullptr, columns);
      });
}

} // namespace

Work linear_weight_gradient_work(const LinearWeightGradient& args) noexcept { return update_work(args, 1); }

void linear_weight_gradient_run(const LinearWeightGradient& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kBlockSide, end = smaller(items.end * kBlockSide, args.m);
  for_blocks(
      args.dy, args.x, args.n, args.k, args.m, begin, end, workspace,
      [](Index, Index, Index) { return true; },
      [&](Index rows, Index row, Index k0, Index columns, const float* sums) {
        for (Index i = 0; i < rows; i++)
          for_vectors(0, columns, [&](Index j, Index lanes) {
            store_first(args.dw + (row + i) * args.k + k0 + j,
                        load_first(sums + i * kBlockSide + j, lanes) + F{}, lanes);
          });
      });
}

} // namespace milliner::MILLINER_SET

#include "kernels/weight_update_entries.h"
