#include "kernels/linear_weight.h"

#include "kernels/micro_kernel.h"
#include "kernels/panels.h"
#include "kernels/set.h"

// Lanes are inputs: x is packed into panels [rows][kColumns], dy is transposed once, and the whole batch is
// one run of the chain, so the tile's epilogue can update w. Panels are grouped so that a group stays in L2
// while all rows of w pass by.

namespace milliner::MILLINER_SET {
namespace {

// One tile of the gradient in registers; `x` is a packed panel, rows of `dyt` are ld apart.
template <int M, Fetch kFetch>
MILLINER_INLINE void gradient_tile(F (&g)[M][kVectors], Index n, const float* dyt, Index ld, const float* x,
                                   Ahead ahead) {
  clear(g);
  run_chains<M, kVectors, kFetch>(n, dyt, ld, x, kColumns, g, ahead);
  add_zero(g);
}

template <int M, Fetch kFetch>
__attribute__((noinline)) void write_tile(Index n, const float* dyt, Index ld, const float* x, float* dw,
                                          Index k, Ahead ahead) {
  F g[M][kVectors];
  gradient_tile<M, kFetch>(g, n, dyt, ld, x, ahead);
  store_tile(g, dw, k);
}

template <int M>
__attribute__((noinline)) void write_lanes_of_tile(Index n, const float* dyt, Index ld, const float* x,
                                                   float* dw, Index k, Index columns) {
  F g[M][kVectors];
  gradient_tile<M, Fetch::nothing>(g, n, dyt, ld, x, {});
  store_columns(g, dw, k, columns);
}

// Soft conditioning of a tile: post of its rows, pre of its columns, or null.
struct Condition {
  const float* post;
  const float* pre;
};

MILLINER_INLINE F conditioned(F g, Condition condition, int i, F pre) {
  if (!condition.post)
    return g;
  const F post = splat(condition.post[i]);
  const F least = condition.pre ? (post < pre ? post : pre) : post;
  return g * (splat(1.0f) - least);
}

template <int M, Fetch kFetch>
__attribute__((noinline)) void update_tile(Index n, const float* dyt, Index ld, const float* x, float* w,
                                           Index k, float lr, Condition condition, Ahead ahead) {
  F g[M][kVectors];
  gradient_tile<M, kFetch>(g, n, dyt, ld, x, ahead);
  const F step = splat(-lr);
  MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
    const F pre = condition.pre ? load(condition.pre + j * kLanes) : F{};
    MILLINER_UNROLL for (int i = 0; i < M; i++) {
      float* p = w + i * k + j * kLanes;
      store(p, fma(step, conditioned(g[i][j], condition, i, pre), load(p)));
    }
  }
}

// Only elements whose bit is set in writable[row] are read or written.
template <int M>
__attribute__((noinline)) void update_lanes_of_tile(Index n, const float* dyt, Index ld, const float* x,
                                                    float* w, Index k, float lr, Condition condition,
                                                    const std::uint32_t* writable, Index columns) {
  F g[M][kVectors];
  gradient_tile<M, Fetch::nothing>(g, n, dyt, ld, x, {});
  const F step = splat(-lr);
  MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
    if (j * kLanes >= columns)
      break;
    const F pre =
        condition.pre ? load_first(condition.pre + j * kLanes, smaller(kLanes, columns - j * kLanes)) : F{};
    MILLINER_UNROLL for (int i = 0; i < M; i++) {
      float* p = w + i * k + j * kLanes;
      const I lanes = lanes_of(writable[i] >> (j * kLanes));
      store_lanes(p, fma(step, conditioned(g[i][j], condition, i, pre), load_lanes(p, lanes)), lanes);
    }
  }
}

// How the two kernels share a thread's part: rows [begin, end) of the weights.
struct Plan {
  Index ld;     // stride of the transposed dy
  Index panels; // panels in a group

  explicit Plan(Index n)
      : ld(spread_stride(n)),
        panels(smaller(larger(kWeightGroupBytes / (larger(n, 1) * kColumns * 4), 1), kWeightGroupPanels)) {}

  std::size_t workspace(Index n, Index k, Index m) const {
    const Index group = smaller(panels, ceil_div(k, kColumns));
    return static_cast<std::size_t>(group * n * kColumns + m * ld);
  }
};

// Walks the tiles of rows [begin, end): visit(rows, first row, k0, columns, transposed dy, panel of x).
template <class Visit>
MILLINER_INLINE void for_tiles(const float* dy, const float* x, Index n, Index k, Index m, Index begin,
                               Index end, float* workspace, const Visit& visit) {
  const Plan plan(n);
  const Index group = plan.panels * kColumns;
  float* panels = workspace;
  float* dyt = workspace + smaller(plan.panels, ceil_div(k, kColumns)) * n * kColumns;
  transpose(dy + begin, m, n, end - begin, dyt, plan.ld);
  for (Index group0 = 0; group0 < k; group0 += group) {
    const Index group_end = smaller(group0 + group, k);
    for (Index k0 = group0; k0 < group_end; k0 += kColumns)
      pack_rows(x + k0, k, smaller(kColumns, group_end - k0), n, panels + (k0 - group0) * n);
    for (Index row = begin; row < end; row += kRows)
      for (Index k0 = group0; k0 < group_end; k0 += kColumns)
        visit(smaller(kRows, end - row), row, k0, smaller(kColumns, group_end - k0),
              dyt + (row - begin) * plan.ld, plan.ld, panels + (k0 - group0) * n);
  }
}

double weight_nanoseconds(Index n, Index k, Index m) {
  const double elements = static_cast<double>(m) * static_cast<double>(k);
  const double compute = 2.0 * static_cast<double>(n) * elements / kFlopsPerNanosecond;
  const double traffic = 8.0 * elements / kBytesPerNanosecond;
  return compute > traffic ? compute : traffic;
}

constexpr std::uint32_t first_bits(Index count) { return count >= 32 ? 0xFFFFFFFFu : (1u << count) - 1u; }

} // namespace

Work linear_weight_gradient_work(const LinearWeightGradient& args) noexcept {
  return {args.k == 0 ? 0 : ceil_div(args.m, kRowStep), weight_nanoseconds(args.n, args.k, args.m),
          Plan(args.n).workspace(args.n, args.k, args.m)};
}

void linear_weight_gradient_run(const LinearWeightGradient& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kRowStep, end = smaller(items.end * kRowStep, args.m);
  const Index n = args.n, k = args.k;
  for_tiles(
      args.dy, args.x, n, k, args.m, begin, end, workspace,
      [&](Index rows, Index row, Index k0, Index columns, const float* dyt, Index ld, const float* panel) {
        float* dw = args.dw + row * k + k0;
        if (columns == kColumns && row + 2 * kRows <= end)
          write_tile<kRows, Fetch::to_write>(n, dyt, ld, panel, dw, k, {dw + kRows * k, k, 0});
        else
          with_rows(rows, [&]<int M>() {
            if (columns == kColumns)
              write_tile<M, Fetch::nothing>(n, dyt, ld, panel, dw, k, {});
            else
              write_lanes_of_tile<M>(n, dyt, ld, panel, dw, k, columns);
          });
      });
}

Work linear_weight_update_work(const LinearWeightUpdate& args) noexcept {
  return {args.k == 0 ? 0 : ceil_div(args.m, kRowStep), weight_nanoseconds(args.n, args.k, args.m),
          Plan(args.n).workspace(args.n, args.k, args.m)};
}

void linear_weight_update_run(const LinearWeightUpdate& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kRowStep, end = smaller(items.end * kRowStep, args.m);
  const Index n = args.n, k = args.k, words = lock_words(k);
  for_tiles(
      args.dy, args.x, n, k, args.m, begin, end, workspace,
      [&](Index rows, Index row, Index k0, Index columns, const float* dyt, Index ld, const float* panel) {
        std::uint32_t writable[kRows], any = first_bits(columns), all = any;
        if (args.locks) {
          any = 0;
          for (Index i = 0; i < rows; i++) {
            writable[i] = ~(args.locks[(row + i) * words + (k0 >> 5)] >> (k0 & 31)) & first_bits(columns);
            any |= writable[i];
            all &= writable[i];
          }
        } else if (columns < kColumns) {
          for (Index i = 0; i < rows; i++)
            writable[i] = all;
        }
        if (any == 0)
          return;
        float* w = args.w + row * k + k0;
        const Condition condition = {args.post ? args.post + row : nullptr,
                                     args.pre ? args.pre + k0 : nullptr};
        const bool plain = all == first_bits(kColumns);
        if (plain && row + 2 * kRows <= end)
          update_tile<kRows, Fetch::to_write>(n, dyt, ld, panel, w, k, args.lr, condition,
                                              {w + kRows * k, k, 0});
        else
          with_rows(rows, [&]<int M>() {
            if (plain)
              update_tile<M, Fetch::nothing>(n, dyt, ld, panel, w, k, args.lr, condition, {});
            else
              update_lanes_of_tile<M>(n, dyt, ld, panel, w, k, args.lr, condition, writable, columns);
          });
      });
}

} // namespace milliner::MILLINER_SET
