#include "kernels/reductions.h"

#include "kernels/block_sums.h"
#include "kernels/set.h"
#include "kernels/virtual_lanes.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kUnits = 4 * kLanes; // units of an item of column_sum

double read_nanoseconds(Index n) { return 4.0 * static_cast<double>(n) / kBytesPerNanosecond; }

float chunk_sum(const float* x, Index n) {
  F sums[kSumVectors] = {};
  Index i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (int j = 0; j < kSumVectors; j++)
      sums[j] = sums[j] + load(x + i + j * kLanes);
  if (i < n)
    for (int j = 0; j < kSumVectors; j++) {
      const Index lanes = smaller(larger(n - i - j * kLanes, 0), kLanes);
      sums[j] = sums[j] + load_first(x + (lanes > 0 ? i + j * kLanes : i), lanes);
    }
  float lanes[kSumLanes];
  for (int j = 0; j < kSumVectors; j++)
    store(lanes + j * kLanes, sums[j]);
  return combine(lanes);
}

double chunk_sum_squares(const float* x, Index n) {
  // kLanes / 2 doubles fill a register; a square of a float is exact in double.
  using Half = float __attribute__((vector_size(kLanes * 2)));
  using HalfAny = float __attribute__((vector_size(kLanes * 2), aligned(4), may_alias));
  using D = double __attribute__((vector_size(kLanes * 4)));
  constexpr int kHalf = kLanes / 2, kVectorsOfDouble = kSumLanes / kHalf;
  D sums[kVectorsOfDouble] = {};
  Index i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (int j = 0; j < kVectorsOfDouble; j++) {
      const Half h = *reinterpret_cast<const HalfAny*>(x + i + j * kHalf);
      const D d = __builtin_convertvector(h, D);
      sums[j] = sums[j] + d * d;
    }
  double lanes[kSumLanes];
  for (int j = 0; j < kSumLanes; j++)
    lanes[j] = sums[j / kHalf][j % kHalf];
  for (Index j = 0; i + j < n; j++) {
    const double d = static_cast<double>(x[i + j]);
    lanes[j] = lanes[j] + d * d;
  }
  return combine(lanes);
}

template <int V> void sum_columns(const ColumnSum& args, Index unit, Index last_lanes) {
  BlockSums<V> sums;
  for (Index row = 0; row < args.rows; row++) {
    MILLINER_UNROLL for (int j = 0; j < V; j++) sums.block[j] =
        sums.block[j] +
        load_first(args.x + row * args.units + unit + j * kLanes, j + 1 < V ? kLanes : last_lanes);
    sums.pass(1);
  }
  for (int j = 0; j < V; j++)
    store_first(args.out + unit + j * kLanes, sums.total(j), j + 1 < V ? kLanes : last_lanes);
}

} // namespace

Work sum_work(const Sum& args) noexcept { return {ceil_div(args.n, kSumChunk), read_nanoseconds(args.n), 0}; }

void sum_run(const Sum& args, Range items, float*) noexcept {
  for (Index chunk = items.begin; chunk < items.end; chunk++)
    args.totals[chunk] =
        chunk_sum(args.x + chunk * kSumChunk, smaller(kSumChunk, args.n - chunk * kSumChunk));
}

Work sum_squares_work(const SumSquares& args) noexcept {
  return {ceil_div(args.n, kSumChunk), read_nanoseconds(args.n), 0};
}

void sum_squares_run(const SumSquares& args, Range items, float*) noexcept {
  for (Index chunk = items.begin; chunk < items.end; chunk++)
    args.totals[chunk] =
        chunk_sum_squares(args.x + chunk * kSumChunk, smaller(kSumChunk, args.n - chunk * kSumChunk));
}

Work column_sum_work(const ColumnSum& args) noexcept {
  return {ceil_div(args.units, kUnits), read_nanoseconds(args.rows * args.units), 0};
}

void column_sum_run(const ColumnSum& args, Range items, float*) noexcept {
  const Index end = smaller(items.end * kUnits, args.units);
  Index unit = items.begin * kUnits;
  for (; unit + kUnits <= end; unit += kUnits)
    sum_columns<4>(args, unit, kLanes);
  for_vectors(unit, end, [&](Index at, Index lanes) { sum_columns<1>(args, at, lanes); });
}

Work all_finite_work(const AllFinite& args) noexcept {
  return {ceil_div(args.n, kFiniteChunk), read_nanoseconds(args.n), 0};
}

void all_finite_run(const AllFinite& args, Range items, float*) noexcept {
  const U exponent = splat(0x7F800000u);
  for (Index chunk = items.begin; chunk < items.end; chunk++) {
    I bad{};
    for_vectors(chunk * kFiniteChunk, smaller((chunk + 1) * kFiniteChunk, args.n), [&](Index i, Index lanes) {
      bad |= ((U)load_first(args.x + i, lanes) & exponent) == exponent;
    });
    std::uint32_t any = 0;
    for (int lane = 0; lane < kLanes; lane++)
      any |= static_cast<std::uint32_t>(bad[lane]);
    args.found[chunk] = any & 1u;
  }
}

} // namespace milliner::MILLINER_SET
