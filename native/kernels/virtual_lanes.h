// Sums along the lanes: 16 virtual lanes, whatever the instruction set has, combined by halves.
#pragma once

#include "kernels/reductions.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr int kSumVectors = kSumLanes / kLanes; // registers that hold the 16 virtual lanes
static_assert(kSumVectors * kLanes == kSumLanes);

// Virtual lanes 0..15 by halves: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
template <class Number> Number combine(Number (&lanes)[kSumLanes]) {
  for (Index half = kSumLanes / 2; half > 0; half /= 2)
    for (Index i = 0; i < half; i++)
      lanes[i] = lanes[i] + lanes[i + half];
  return lanes[0];
}

} // namespace
} // namespace milliner::MILLINER_SET
