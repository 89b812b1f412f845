// Reference of linear_forward.h: naive, in double.
#pragma once

#include "kernels/dropout_ref.h"
#include "kernels/linear_forward.h"

namespace milliner {

struct LinearForwardRef {
  double h, y;
  double magnitude; // sum of |terms|: the scale of the error bound
};

inline LinearForwardRef linear_forward_ref(const LinearForward& args, Index row, Index unit) {
  double v = 0, magnitude = 0;
  for (Index k = 0; k < args.k; k++) {
    const double term =
        static_cast<double>(args.x[row * args.k + k]) * static_cast<double>(args.w[unit * args.k + k]);
    v += term;
    magnitude += std::abs(term);
  }
  const double bias = args.bias ? static_cast<double>(args.bias[unit]) : 0;
  v += bias;
  magnitude += std::abs(bias);
  if (args.relu && !(v > 0))
    v = 0;
  if (args.drop) {
    v = is_kept_ref(args.random, args.keep, row, unit) ? v / args.keep : 0;
    magnitude /= args.keep;
  }
  const double gate = args.gate ? static_cast<double>(args.gate[unit]) : 1;
  return {v, gate == 0 ? 0 : v * gate, magnitude};
}

} // namespace milliner
