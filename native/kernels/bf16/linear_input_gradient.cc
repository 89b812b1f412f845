#include "kernels/linear_input_gradient.h"

#include "kernels/bf16/block.h"
#include "kernels/bf16/set.h"

// Columns of the sums are inputs: 32 columns of w at a time are rounded into L1, neighbouring rows
// interleaved, and met by all rows of dy, which are rounded once.

namespace milliner::MILLINER_SET {
namespace {

// 256 rows x 32 columns of w are 16 KiB in bf16, a strip pair of dy as much: both stay in 48 KiB of L1d.
constexpr Index kSteps = 8;
constexpr Index kGradientBytes = 1 << 20; // of rounded dy, half of L2
constexpr Index kMostRows = 256;

// Rows of the batch that are rounded at a time.
Index batch_rows(const LinearInputGradient& args) {
  const Index row_bytes = larger(tile_steps(args.m), 1) * kTileDepth * 2;
  const Index fitting = larger(kGradientBytes / row_bytes / kBlockSide, 1) * kBlockSide;
  return smaller(smaller(fitting, kMostRows), round_up(args.n, kBlockSide));
}

} // namespace

Work linear_input_gradient_work(const LinearInputGradient& args) noexcept {
  const Index rows = batch_rows(args);
  const double bytes = 4.0 * static_cast<double>(args.m) * static_cast<double>(args.k);
  return {args.n == 0 ? 0 : ceil_div(args.k, kBlockSide), tile_nanoseconds(args.n, args.k, args.m, bytes),
          static_cast<std::size_t>(strips(rows) * tile_steps(args.m) * kTileFloats +
                                   2 * kSteps * kTileFloats + rows * kBlockSide)};
}

void linear_input_gradient_run(const LinearInputGradient& args, Range items, float* workspace) noexcept {
  const Index begin = items.begin * kBlockSide, end = smaller(items.end * kBlockSide, args.k);
  const Index k = args.k, m = args.m, most = batch_rows(args);
  const Index steps = tile_steps(m), lda = steps * kTileFloats, ldb = kSteps * kTileFloats;
  float* a = workspace;
  float* b = a + strips(most) * lda;
  float* sums = b + 2 * ldb;
  Tiles tiles;

  for (Index row0 = 0; row0 < args.n; row0 += most) {
    const Index rows = smaller(most, args.n - row0);
    for (Index row = 0; row < rows; row += kTileSide)
      round_strip(args.dy + (row0 + row) * m, m, smaller(kTileSide, rows - row), m,
                  a + row / kTileSide * lda);
    for (Index k0 = begin; k0 < end; k0 += kBlockSide) {
      const Index columns = smaller(kBlockSide, end - k0);
      Index step = 0;
      do { // once also for m = 0: the sums are then +0
        const Index length = smaller(kSteps, steps - step), m0 = step * kTileDepth;
        for (Index j = 0; j < columns; j += kTileSide)
          round_strip_paired(args.w + m0 * k + k0 + j, k, smaller(kTileSide, columns - j),
                             smaller(length * kTileDepth, m - m0), b + j / kTileSide * ldb);
        for (Index row = 0; row < rows; row += kBlockSide)
          multiply_block(tiles, smaller(kBlockSide, rows - row), columns, length,
                         a + row / kTileSide * lda + step * kTileFloats, lda, b, ldb, sums + row * kBlockSide,
                         kBlockSide, step == 0);
        step += length;
      } while (step < steps);
      for (Index row = 0; row < rows; row++)
        for_vectors(0, columns, [&](Index j, Index lanes) {
          store_first(args.dx + (row0 + row) * k + k0 + j,
                      load_first(sums + row * kBlockSide + j, lanes) + F{}, lanes);
        });
    }
  }
}

} // namespace milliner::MILLINER_SET
