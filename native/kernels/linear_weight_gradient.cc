#include "kernels/linear_weight.h"
#include "kernels/set.h"
#include "kernels/weight_tiles.h"

namespace milliner::MILLINER_SET {
namespace {

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

} // namespace milliner::MILLINER_SET
