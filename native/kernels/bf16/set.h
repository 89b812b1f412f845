// Declares every bf16 kernel in the namespace of the set that is being compiled.
#pragma once

#include "kernels/bf16/table.h"

namespace milliner::MILLINER_SET {

#define MILLINER_DECLARE(kernel, Args, js)                                                                   \
  Work kernel##_work(const Args& args) noexcept;                                                             \
  void kernel##_run(const Args& args, Range items, float* workspace) noexcept;
MILLINER_BF16_KERNELS(MILLINER_DECLARE)
#undef MILLINER_DECLARE

// Rates for the estimates: 2 x 16 x 16 x 32 operations in 16 cycles (Sapphire Rapids' documented throughput)
// at 2 GHz. Only the decision whether to split depends on it.
constexpr double kTileFlopsPerNanosecond = 2000;

// Of a product of 2 n k m flops that passes `bytes` of memory: whichever takes longer.
constexpr double tile_nanoseconds(Index n, Index k, Index m, double bytes) {
  const double compute = 2.0 * static_cast<double>(n) * static_cast<double>(k) * static_cast<double>(m) /
                         kTileFlopsPerNanosecond;
  const double traffic = bytes / kBytesPerNanosecond;
  return compute > traffic ? compute : traffic;
}

} // namespace milliner::MILLINER_SET
