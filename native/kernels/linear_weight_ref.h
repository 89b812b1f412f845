// Reference of linear_weight.h: naive, in double.
#pragma once

#include "kernels/linear_weight.h"
#include "kernels/optimizer_step_ref.h"

#include <cmath>

namespace milliner {

// The gradient's sum, and the sum of its terms' absolute values in `magnitude`.
inline double linear_weight_gradient_ref(const float* dy, const float* x, Index n, Index k, Index m,
                                         Index unit, Index input, double& magnitude) {
  double sum = 0;
  magnitude = 0;
  for (Index row = 0; row < n; row++) {
    const double term = static_cast<double>(dy[row * m + unit]) * static_cast<double>(x[row * k + input]);
    sum += term;
    magnitude += std::abs(term);
  }
  return sum;
}

} // namespace milliner
