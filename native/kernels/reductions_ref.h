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

// The sum over rows in blocks: add(sum, row) adds the row's term.
template <class Add> float block_sum_ref(Index rows, const Add& add) {
  float total = 0;
  for (Index block = 0; block < rows; block += kSumChunk) {
    float sum = 0;
    for (Index row = block; row < smaller(rows, block + kSumChunk); row++)
      sum = add(sum, row);
    total = total + sum;
  }
  return total + 0.0f;
}

// Roundings behind the largest partial sum: the error is at most 2^-24 sum |terms| times this.
constexpr Index block_sum_roundings(Index rows) {
  return smaller(rows, kSumChunk) + ceil_div(rows, kSumChunk);
}

} // namespace milliner
