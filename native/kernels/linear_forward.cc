#include "kernels/linear_forward.h"

#include "kernels/linear_epilogue.h"
#include "kernels/packed_product.h"
#include "kernels/row_chains.h"
#include "kernels/set.h"
#include "kernels/sparse_product.h"

// Lanes are rows of the batch: activations are packed into panels [k][kColumns], the weights are read as they
// lie, 6 rows of w against one panel. The finished tile is feature-major; a group of them is transposed into
// y while it is still in L1, and the epilogue runs there. A few rows take the row chains, many rows the
// packed product, whose lanes are units.

namespace milliner::MILLINER_SET {
namespace {

// Partial chains of one tile: M outputs x kColumns rows of the batch, kept in `partial` between chain blocks.
template <int M, Fetch kFetch>
__attribute__((noinline)) void forward_tile(Index length, const float* w, Index k, const float* panel,
                                            float* partial, Index ldp, bool first, Ahead ahead) {
  F tile[M][kVectors];
  if (first)
    clear(tile);
  else
    load_tile(tile, partial, ldp);
  run_chains<M, kVectors, kFetch>(length, w, k, panel, kColumns, tile, ahead);
  store_tile(tile, partial, ldp);
}

constexpr Index panel_floats = kForwardBatch * kForwardChain;

// V * kLanes units of all N rows, their chains left in y.
template <int N, int V>
__attribute__((noinline)) void few_rows_tile(const LinearForward& args, Index unit, float* copy) {
  const Index k = args.k;
  const float *x = args.x, *w = args.w + unit * k, *next = w + V * kLanes * k;
  F tile[N][V];
  clear(tile);
  if (!is_crowded(k)) {
    run_row_chains<N, V>(k, x, k, w, k, tile, next);
  } else {
    constexpr Index ld = spread_stride(kFewRowsChain);
    for (Index k0 = 0; k0 < k; k0 += kFewRowsChain) { // k is a multiple of it
      for (int row = 0; row < V * kLanes; row++)
        for (Index t = 0; t < kFewRowsChain; t += kLanes)
          store(copy + row * ld + t, load(w + row * k + k0 + t));
      run_row_chains<N, V>(kFewRowsChain, x + k0, k, copy, ld, tile, next + k0 * V * kLanes);
    }
  }
  store_tile(tile, args.y + unit, args.m);
}

template <int N> void few_rows(const LinearForward& args, Index begin, Index end, float* copy) {
  Index unit = begin;
  for (; unit + kFewRowsVectors * kLanes <= end; unit += kFewRowsVectors * kLanes)
    few_rows_tile<N, kFewRowsVectors>(args, unit, copy);
  for (; unit + kLanes <= end; unit += kLanes)
    few_rows_tile<N, 1>(args, unit, copy);
  if (unit < end) // the last units a second time, rather than rows past the end
    few_rows_tile<N, 1>(args, end - kLanes, copy);
}

} // namespace

Work linear_forward_work(const LinearForward& args) noexcept {
  const Index batch = round_up(smaller(args.n, kForwardBatch), kColumns);
  const double flops =
      2.0 * static_cast<double>(args.n) * static_cast<double>(args.m) * static_cast<double>(args.k);
  const std::size_t dense =
      is_packed(args.n, args.k)
          ? packed_workspace(args.n)
          : static_cast<std::size_t>(panel_floats + smaller(args.m, kForwardOutputs) * batch);
  const std::size_t sparse = sparse_workspace(args.n, args.k);
  return {args.n == 0 ? 0 : ceil_div(args.m, kRowStep), flops / kFlopsPerNanosecond,
          dense > sparse ? dense : sparse};
}

void linear_forward_run(const LinearForward& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kRowStep, end = smaller(items.end * kRowStep, args.m);
  const Index n = args.n, k = args.k, m = args.m;
  const Epilogue epilogue{args, keep_of(args.drop ? args.keep : 1.0)};
  if (n <= kFewRows && end - begin >= kLanes) {
    with_rows<kFewRows>(n, [&]<int N>() { few_rows<N>(args, begin, end, workspace); });
    for (Index row = 0; row < n; row++)
      for (Index unit = begin; unit < end; unit += kForwardGroup)
        epilogue.finish(row, unit, smaller(kForwardGroup, end - unit));
    return;
  }
  const auto by_terms = [&] {
    return sparse_product(
        args.x, n, k, begin, end, workspace,
        [&](Index t0, Index length, Index unit0, Index units, Index width, float* panel, Watch& watch) {
          for (Index unit = 0; unit < width; unit += kColumns)
            pack_transposed(args.w + (unit0 + unit) * k + t0, k, smaller(kColumns, larger(units - unit, 0)),
                            length, panel + unit, width, smaller(kColumns, width - unit), watch);
        },
        [&](Index t0, Index length, Index unit0, Index units) {
          return Region{args.w + unit0 * k + t0, k, units, length};
        },
        [&](Index row, Index unit0, Index units, const float* chains) {
          float* y = args.y + row * m + unit0;
          for_vectors(0, units, [&](Index i, Index lanes) { store_first(y + i, load(chains + i), lanes); });
          epilogue.finish(row, unit0, units);
        });
  };
  if (is_sparse(args.x, n, k, m) && by_terms())
    return;
  if (is_packed(n, k)) {
    packed_product(
        args.x, k, n, k, args.y, m, begin, end, workspace,
        [&](Index t0, Index length, Index unit0, Index unit1, float* panels) {
          for (Index unit = unit0; unit < unit1; unit += kColumns)
            pack_transposed(args.w + unit * k + t0, k, smaller(kColumns, unit1 - unit), length,
                            panels + (unit - unit0) * length);
        },
        [&](Index row0, Index row1, Index unit0, Index unit1) {
          for (Index row = row0; row < row1; row++)
            for (Index unit = unit0; unit < unit1; unit += kForwardGroup)
              epilogue.finish(row, unit, smaller(kForwardGroup, unit1 - unit));
        });
    return;
  }
  float* panels = workspace;
  float* partial = workspace + panel_floats;

  const Index block = even_blocks(k, kForwardChain);
  for (Index row0 = 0; row0 < n; row0 += kForwardBatch) {
    const Index rows = smaller(kForwardBatch, n - row0);
    const Index ldp = round_up(rows, kColumns);
    for (Index unit0 = begin; unit0 < end; unit0 += kForwardOutputs) {
      const Index units = smaller(kForwardOutputs, end - unit0);
      Index k0 = 0;
      do { // once also for k = 0: the chain is then +0
        const Index length = smaller(block, k - k0);
        const bool last = k0 + length == k;
        for (Index lane = 0; lane < rows; lane += kColumns)
          pack_transposed(args.x + (row0 + lane) * k + k0, k, smaller(kColumns, rows - lane), length,
                          panels + lane * length);
        for (Index unit = 0; unit < units; unit += kRows) {
          const Index count = smaller(kRows, units - unit);
          const float* w = args.w + (unit0 + unit) * k + k0;
          const bool next = unit + 2 * kRows <= units;
          for (Index lane = 0; lane < rows; lane += kColumns) {
            float* tile = partial + unit * ldp + lane;
            const float* panel = panels + lane * length;
            // Partial chains of the next tile: of the next panel, or of the next rows.
            fetch_tile(lane + kColumns < rows ? tile + kColumns : tile - lane + kRows * ldp, ldp);
            // Panel after panel fetches the next 256 bytes of the next rows of w.
            const Index offset = lane / kColumns * 64;
            const Ahead ahead = {w + kRows * k + offset, k, 16};
            if (next && offset < length)
              forward_tile<kRows, Fetch::to_read>(length, w, k, panel, tile, ldp, k0 == 0, ahead);
            else
              with_rows(count, [&]<int M>() {
                forward_tile<M, Fetch::nothing>(length, w, k, panel, tile, ldp, k0 == 0, {});
              });
          }
          const Index done = unit + count;
          if (last && (done % kForwardGroup == 0 || done == units)) {
            const Index group = (done - 1) / kForwardGroup * kForwardGroup;
            transpose(partial + group * ldp, ldp, done - group, rows, args.y + row0 * m + unit0 + group, m);
            for (Index row = 0; row < rows; row++)
              epilogue.finish(row0 + row, unit0 + group, done - group);
          }
        }
        k0 += length;
      } while (k0 < k);
    }
  }
}

} // namespace milliner::MILLINER_SET
