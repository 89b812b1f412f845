// Reference of reductions.h: the stated order, one number at a time.
#pragma once

#include "kernels/reductions.h"

#include <vector>

namespace milliner {

// Totals of the chunks of n terms; term(i) is the i-th.
template <class Number, class Term> Number sum_ref(Index n, const Term& term) {
  Number total = 0;
  for (Index chunk = 0; chunk < n; chunk += kSumChunk) {
    std::vector<Number> lanes(kSumLanes);
    for (Index i = chunk; i < smaller(n, chunk + kSumChunk); i++)
      lanes[static_cast<std::size_t>((i - chunk) % kSumLanes)] += term(i);
    for (std::size_t half = kSumLanes / 2; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; i++)
        lanes[i] += lanes[i + half];
    total += lanes[0];
  }
  return total;
}

} // namespace milliner
