// Reference of hat_gate.h in double: the chain rule and the paper's factor, not the closed form.
#pragma once

#include "kernels/hat_gate.h"

#include <cmath>

namespace milliner {

inline double gate_ref(double e, double s) { return 1 / (1 + std::exp(-s * e)); }

// q = s a (1 - a) da, times the compensation (s_max / s) (cosh(s e) + 1) / (cosh(e) + 1): hat.md (B').
inline double gate_gradient_ref(double da, double e, double s, double s_max, bool compensated) {
  const double a = gate_ref(e, s);
  const double q = s * a * (1 - a) * da;
  return compensated ? q * (s_max / s) * (std::cosh(s * e) + 1) / (std::cosh(e) + 1) : q;
}

} // namespace milliner
