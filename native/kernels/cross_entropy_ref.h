// Reference of cross_entropy.h: naive, in double.
#pragma once

#include "kernels/cross_entropy.h"

#include <cmath>

namespace milliner {

inline double softmax_ref(const float* logits, Index classes, Index j) {
  double sum = 0;
  for (Index i = 0; i < classes; i++)
    sum += std::exp(static_cast<double>(logits[i]) - static_cast<double>(logits[j]));
  return 1 / sum;
}

inline double cross_entropy_ref(const float* logits, Index classes, Index label) {
  return -std::log(softmax_ref(logits, classes, label));
}

} // namespace milliner
