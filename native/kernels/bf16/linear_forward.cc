#include "kernels/bf16/block.h"
#include "kernels/bf16/set.h"
#include "kernels/linear_epilogue.h"

// Rows of the sums are units: 32 rows of w at a time are rounded into L1 and met by all activations, which
// are rounded once. The finished sums are transposed into y, and the epilogue runs there.

namespace milliner::MILLINER_SET {
namespace {

// 32 rows x 256 inputs of w are 16 KiB in bf16, a strip pair of activations as much:
// both stay in 48 KiB of L1d.
constexpr Index kSteps = 8;
constexpr Index kActivationBytes = 1 << 20; // of rounded activations, half of L2
constexpr Index kMostRows = 256;

// Rows of the batch that are rounded at a time.
Index batch_rows(const LinearForward& args) {
  const Index row_bytes = larger(tile_steps(args.k), 1) * kTileDepth * 2;
  const Index fitting = larger(kActivationBytes / row_bytes / kBlockSide, 1) * kBlockSide;
  return smaller(smaller(fitting, kMostRows), round_up(args.n, kBlockSide));
}

} // namespace

Work linear_forward_work(const LinearForward& args) noexcept {
  const Index rows = batch_rows(args);
  const double bytes = 4.0 * static_cast<double>(args.m) * static_cast<double>(args.k);
  return {args.n == 0 ? 0 : ceil_div(args.m, kBlockSide), tile_nanoseconds(args.n, args.k, args.m, bytes),
          static_cast<std::size_t>(strips(rows) * tile_steps(args.k) * kTileFloats +
                                   2 * kSteps * kTileFloats + kBlockSide * rows)};
}

void linear_forward_run(const LinearForward& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kBlockSide, end = smaller(items.end * kBlockSide, args.m);
  const Index k = args.k, m = args.m, most = batch_rows(args);
  const Index steps = tile_steps(k), ldb = steps * kTileFloats, lda = kSteps * kTileFloats;
  const Epilogue epilogue{args, keep_of(args.drop ? args.keep : 1.0)};
  float* b = workspace;
  float* a = b + strips(most) * ldb;
  float* sums = a + 2 * lda;
  Tiles tiles;

  for (Index row0 = 0; row0 < args.n; row0 += most) {
    const Index rows = smaller(most, args.n - row0);
    for (Index row = 0; row < rows; row += kTileSide)
      round_strip_transposed(args.x + (row0 + row) * k, k, smaller(kTileSide, rows - row), k,
                             b + row / kTileSide * ldb);
    for (Index unit = begin; unit < end; unit += kBlockSide) {
      const Index units = smaller(kBlockSide, end - unit);
      Index step = 0;
      do { // once also for k = 0: the sums are then +0
        const Index length = smaller(kSteps, steps - step), k0 = step * kTileDepth;
        for (Index i = 0; i < units; i += kTileSide)
          round_strip(args.w + (unit + i) * k + k0, k, smaller(kTileSide, units - i),
                      smaller(length * kTileDepth, k - k0), a + i / kTileSide * lda);
        for (Index row = 0; row < rows; row += kBlockSide)
          multiply_block(tiles, units, smaller(kBlockSide, rows - row), length, a, lda,
                         b + row / kTileSide * ldb + step * kTileFloats, ldb, sums + row, most, step == 0);
        step += length;
      } while (step < steps);
      transpose(sums, most, units, rows, args.y + row0 * m + unit, m);
      for (Index row = 0; row < rows; row++)
        epilogue.finish(row0 + row, unit, units);
    }
  }
}

} // namespace milliner::MILLINER_SET
