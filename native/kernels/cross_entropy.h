// Softmax cross-entropy, row by row, and its gradient.
//
//   d_j = x_j - max;  losses[row] = log(sum over j of exp(d_j)) - d_label
//   dlogits[row][j] = (exp(d_j) / sum - (j == label)) / n
//
// Shapes   logits, dlogits [n, classes]; labels, losses [n]. dlogits may be logits. 0 <= label < classes.
// Bits     the sum is one chain of additions, j ascending; exp and log are ours. A NaN in a row gives NaN.
// Cost     two exponentials per element: the sum needs the first, the gradient computes it again instead of
//          storing it.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct CrossEntropy {
  const float* logits;
  const std::int32_t* labels;
  float* losses;
  float* dlogits; // or null
  Index n, classes;
};

} // namespace milliner
