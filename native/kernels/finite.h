// Whether a factor is finite. A product that leaves out what the other factor has zeros for must know: 0 * NaN
// and 0 * inf are NaN, and a chain without them would hide that something has gone wrong.
#pragma once

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// Sees vectors on their way to somewhere else, at one fma each.
class Watch {
public:
  static constexpr int kChains = 4; // one would wait for itself: an fma takes 4 cycles

  // chain: 0 .. kChains - 1, a constant; those that follow each other should differ.
  MILLINER_INLINE void see(F v, int chain) { sums_[chain] = fma(v, F{}, sums_[chain]); }

  MILLINER_INLINE bool saw_only_finite() const {
    const F sum = (sums_[0] + sums_[1]) + (sums_[2] + sums_[3]); // +0, or NaN
    I bad = sum != sum;
    std::int32_t any = 0;
    for (int lane = 0; lane < kLanes; lane++)
      any |= bad[lane];
    return any == 0;
  }

private:
  F sums_[kChains] = {};
};

// Where nobody asks.
struct NoWatch {
  MILLINER_INLINE void see(F, int) const {}
};

// Of `rows` runs of `length` floats, `stride` apart.
inline bool is_finite(const float* x, Index rows, Index length, Index stride) {
  Watch watch;
  for (Index row = 0; row < rows; row++, x += stride) {
    Index i = 0;
    for (; i + Watch::kChains * kLanes <= length; i += Watch::kChains * kLanes)
      MILLINER_UNROLL for (int j = 0; j < Watch::kChains; j++) watch.see(load(x + i + j * kLanes), j);
    for_vectors(i, length, [&](Index at, Index lanes) { watch.see(load_first(x + at, lanes), 0); });
  }
  return watch.saw_only_finite();
}

} // namespace
} // namespace milliner::MILLINER_SET
