#include "bench/peak.h"

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {

double run_peak(long steps) noexcept {
  constexpr int kChains = kRows * kVectors;
  F chains[kChains];
  for (int i = 0; i < kChains; i++)
    chains[i] = splat(0.1f * static_cast<float>(i));
  F factor = splat(0.999f), addend = splat(0.001f);
  asm volatile("" : "+m"(factor), "+m"(addend)); // unknown to the compiler, so that nothing is folded
  const F a = factor, b = addend;
  for (long step = 0; step < steps; step++)
#pragma GCC unroll 24
    for (int i = 0; i < kChains; i++)
      chains[i] = fma(chains[i], a, b);
  volatile float sink = 0;
  for (int i = 0; i < kChains; i++)
    sink = sink + chains[i][0];
  return 2.0 * kChains * kLanes * static_cast<double>(steps);
}

float run_read(const float* data, Index floats) noexcept {
  // As many loads at a time as there are cache lines in a short burst; the sums hide behind them.
  constexpr int kLoads = 8;
  F sums[kLoads] = {};
  Index i = 0;
  for (; i + kLoads * kLanes <= floats; i += kLoads * kLanes)
#pragma GCC unroll 8
    for (int j = 0; j < kLoads; j++)
      sums[j] = sums[j] + load(data + i + j * kLanes);
  volatile float sink = 0;
  for (; i < floats; i++)
    sink = sink + data[i];
  for (int j = 0; j < kLoads; j++)
    sink = sink + sums[j][0];
  return sink;
}

} // namespace milliner::MILLINER_SET
