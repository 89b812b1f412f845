#include "kernels/linear_input_gradient.h"

#include "kernels/packed_product.h"
#include "kernels/set.h"
#include "kernels/sparse_product.h"

// Lanes are inputs: w is read in place, a column panel of kColumns inputs by a block of outputs, against 6
// rows of dy. The last, narrower panel, and weights whose row stride would put all rows of a panel into a few
// cache sets, are copied; many rows take the packed product. Partial chains lie in dx between chain blocks.
// Adding +0 to a partial chain changes nothing but the sign of a zero, which the end would make + anyway, so
// every block may do it.

namespace milliner::MILLINER_SET {
namespace {

// The first tile of a panel meets w cold: it fetches its own panel, a fixed number of rows ahead.
__attribute__((noinline)) void first_tile(Index length, const float* dy, Index m, const float* w, Index ldw,
                                          float* dx, Index ldx, bool first) {
  F tile[kRows][kVectors];
  if (first)
    clear(tile);
  else
    load_tile(tile, dx, ldx);
  run_chains_fetching_panel<kRows, kVectors, kInputGradientAhead>(length, dy, m, w, ldw, tile);
  add_zero(tile);
  store_tile(tile, dx, ldx);
}

} // namespace

Work linear_input_gradient_work(const LinearInputGradient& args) noexcept {
  const double flops =
      2.0 * static_cast<double>(args.n) * static_cast<double>(args.m) * static_cast<double>(args.k);
  const std::size_t dense = is_packed(args.n, args.k)
                                ? packed_workspace(args.n)
                                : static_cast<std::size_t>(kInputGradientChain * kColumns);
  const std::size_t sparse = sparse_workspace(args.n, args.m);
  return {args.n == 0 ? 0 : ceil_div(args.k, kColumns), flops / kFlopsPerNanosecond,
          dense > sparse ? dense : sparse};
}

void linear_input_gradient_run(const LinearInputGradient& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kColumns, end = smaller(items.end * kColumns, args.k);
  const Index n = args.n, k = args.k, m = args.m;
  const auto by_terms = [&] {
    return sparse_product(
        args.dy, n, m, begin, end, workspace,
        [&](Index m0, Index length, Index k0, Index columns, Index width, float* panel, Watch& watch) {
          static_assert(Watch::kChains % kSparseStep == 0);
          for (Index t = 0; t < length; t++)
            for (Index i = 0; i < width; i += kSparseStep * kLanes)
              MILLINER_UNROLL for (int j = 0; j < kSparseStep; j++) {
                const Index at = i + j * kLanes, count = smaller(larger(columns - at, 0), kLanes);
                const F v = load_first(args.w + (m0 + t) * k + k0 + (count > 0 ? at : 0), count);
                watch.see(v, j);
                store(panel + t * width + at, v);
              }
        },
        [&](Index m0, Index length, Index k0, Index columns) {
          return Region{args.w + m0 * k + k0, k, length, columns};
        },
        [&](Index row, Index k0, Index columns, const float* chains) {
          float* dx = args.dx + row * k + k0;
          for_vectors(0, columns,
                      [&](Index i, Index lanes) { store_first(dx + i, load(chains + i) + F{}, lanes); });
        });
  };
  if (is_sparse(args.dy, n, m, k) && by_terms())
    return;
  if (is_packed(n, k)) {
    packed_product(
        args.dy, m, n, m, args.dx, k, begin, end, workspace,
        [&](Index t0, Index length, Index k0, Index k1, float* panels) {
          // Row by row: w is read in long runs.
          for (Index t = 0; t < length; t++)
            for (Index column = k0; column < k1; column += kColumns) {
              __builtin_prefetch(args.w + (t0 + t + 8) * k + column, 0, 3);
              pack_rows(args.w + (t0 + t) * k + column, k, smaller(kColumns, k1 - column), 1,
                        panels + (column - k0) * length + t * kColumns);
            }
        },
        [](Index, Index, Index, Index) {});
    return;
  }
  const bool crowded = is_crowded(k);
  float* panel = workspace;

  const Index block = even_blocks(m, kInputGradientChain);
  Index m0 = 0;
  do { // once also for m = 0: the chain is then +0
    const Index length = smaller(block, m - m0);
    const bool first = m0 == 0;
    for (Index row0 = 0; row0 < n; row0 += kInputGradientBatch) {
      const Index rows = smaller(kInputGradientBatch, n - row0);
      for (Index k0 = begin; k0 < end; k0 += kColumns) {
        const Index columns = smaller(kColumns, end - k0);
        const float* w = args.w + m0 * k + k0;
        const bool packed = crowded || columns < kColumns;
        if (packed)
          pack_rows(w, k, columns, length, panel);
        const float* b = packed ? panel : w;
        const Index ldb = packed ? kColumns : k;
        for (Index row = 0; row < rows; row += kRows) {
          const Index count = smaller(kRows, rows - row);
          const float* dy = args.dy + (row0 + row) * m + m0;
          float* dx = args.dx + (row0 + row) * k + k0;
          if (columns < kColumns) {
            with_rows(count, [&]<int M>() {
              product_lanes_of_tile<M>(length, dy, m, panel, dx, k, first, columns);
            });
            continue;
          }
          // Partial chains of the next tile: of the next rows, or of the next panel.
          fetch_tile(row + kRows < rows ? dx + kRows * k : dx - row * k + kColumns, k);
          if (row == 0 && count == kRows && !packed) {
            first_tile(length, dy, m, b, ldb, dx, k, first);
            continue;
          }
          // Tile t of the panel fetches rows t * share ... of the next panel, so that together they fetch all
          // of it.
          const Index share = 3 * (length / kFetchSteps), from = row / kRows * share;
          const bool next = k0 + 2 * kColumns <= end && from + share <= length;
          const Ahead ahead = {w + from * k + kColumns, k, kFetchGroups * 3 * k};
          with_rows(count, [&]<int M>() {
            if (next)
              product_tile<M, Fetch::to_read>(length, dy, m, b, ldb, dx, k, first, ahead);
            else
              product_tile<M, Fetch::nothing>(length, dy, m, b, ldb, dx, k, first, {});
          });
        }
      }
    }
    m0 += length;
  } while (m0 < m);
}

} // namespace milliner::MILLINER_SET
