// Reference of linear_input_gradient.h: naive, in double.
#pragma once

#include "kernels/linear_input_gradient.h"

#include <cmath>

namespace milliner {

// The sum, and the sum of its terms' absolute values in `magnitude`.
inline double linear_input_gradient_ref(const LinearInputGradient& args, Index row, Index k,
                                        double& magnitude) {
  double sum = 0;
  magnitude = 0;
  for (Index unit = 0; unit < args.m; unit++) {
    const double term =
        static_cast<double>(args.dy[row * args.m + unit]) * static_cast<double>(args.w[unit * args.k + k]);
    sum += term;
    magnitude += std::abs(term);
  }
  return sum;
}

} // namespace milliner
