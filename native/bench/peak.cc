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

} // namespace milliner::MILLINER_SET
