// HAT's gate and the compensated gradient of its embedding.
// Source: Serra et al. 2018, section 2.5; hat.md (B'), (F), 3.5.
//
//   forward   windowed  a = s e < -50 ? +0 : sigmoid(s e)
//             official  a = sigmoid(s e)
//   backward  straight  q = da * s_max * u / ((1 + u) * (1 + u)), u = exp(-|e|)
//             windowed  the same where -50 < s e < 24 ln 2; right of it da - da, which is +0 and lets a NaN
//                       show, for such a unit is on; left of it +0, for such a unit is asleep
//             official  q = ((da * (1 - a)) * a) * s,
//                       then times ((s_max / s) * (cosh(clamp(s e, -50, 50)) + 1)) / (cosh(e) + 1),
//                       in float32 and in this order: the published arithmetic, noise included
//             off       q = ((da * (1 - a)) * a) * s
//
// Beyond 24 ln 2 = 16.6355 the float32 sigmoid is exactly 1 and the published gradient exactly 0;
// that is the window.
//
// Shapes   e, a, da, q [units]. Outputs may be inputs.
// Bits     our own exp in a fixed order: equal on every instruction set. Against real arithmetic:
//          forward 2.4 ulp, straight and windowed 4.5 ulp; official agrees with PyTorch to about 1e-5
//          relative where s e < 10.
// Cost     one exp per unit, two for official.
#pragma once

#include "kernels/work.h"

namespace milliner {

enum class GateRule : std::int32_t { windowed = 0, straight = 1, official = 2, off = 3 };

struct GateForward {
  const float* e;
  float* a;
  Index units;
  double s;
  bool windowed;
};

struct GateBackward {
  const float* da;
  const float* e;
  float* q;
  Index units;
  double s, s_max; // > 0
  GateRule rule;
};

} // namespace milliner
