// Reference of activation.h: naive, in double.
#pragma once

#include "kernels/activation.h"

#include <cmath>

namespace milliner {

inline double gate_apply_ref(double v, double gate) { return gate == 0 ? 0 : v * gate; }

inline double activation_gradient_ref(const ActivationBackward& args, Index row, Index unit) {
  const Index at = row * args.units + unit;
  if (args.relu && args.h[at] <= 0)
    return 0;
  const double dy = static_cast<double>(args.dy[at]);
  return (args.gate ? gate_apply_ref(dy, static_cast<double>(args.gate[unit])) : dy) / args.keep;
}

struct UnitGradientsRef {
  double dgate = 0, dbias = 0;
  double dgate_magnitude = 0, dbias_magnitude = 0; // sums of |terms|
};

inline UnitGradientsRef unit_gradients_ref(const ActivationBackward& args, Index unit) {
  UnitGradientsRef sums;
  for (Index row = 0; row < args.rows; row++) {
    const Index at = row * args.units + unit;
    const double gate = args.h ? static_cast<double>(args.dy[at]) * static_cast<double>(args.h[at]) : 0;
    const double bias = activation_gradient_ref(args, row, unit);
    sums.dgate += gate;
    sums.dgate_magnitude += std::abs(gate);
    sums.dbias += bias;
    sums.dbias_magnitude += std::abs(bias);
  }
  return sums;
}

} // namespace milliner
