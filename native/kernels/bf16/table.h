// The kernels whose products are computed in bf16: the arguments of the float32 kernels, other bits.
//
// Both operands are rounded to bf16 (nearest even, subnormals to zero) and their products summed in float32,
// 32 terms at a time in the order of kernels/bf16/tile_unit.h; what follows a product (bias, activation,
// dropout, gate; the step of the weights) is float32 arithmetic on float32 data, the same as after
// a float32 product.
//
// Bits     the same for any split, with `amx` and with `emulated`; not those of float32, and not those of the
//          same layer without units that are zero (which terms are summed together depends on their places).
//          |error| <= (2^-7 + 2^-16 + (terms / 32 + 18) 2^-23) sum |a b|: two operands' rounding, a chain of
//          16, and a sum for every 32 terms.
#pragma once

#include "kernels/linear_forward.h"
#include "kernels/linear_input_gradient.h"
#include "kernels/linear_weight.h"

//   X(kernel, arguments, name in JavaScript)
#define MILLINER_BF16_KERNELS(X)                                                                             \
  X(linear_forward, LinearForward, "bf16LinearForward")                                                      \
  X(linear_input_gradient, LinearInputGradient, "bf16LinearInputGradient")                                   \
  X(linear_weight_gradient, LinearWeightGradient, "bf16LinearWeightGradient")                                \
  X(linear_weight_update, LinearWeightUpdate, "bf16LinearWeightUpdate")                                      \
  X(linear_weight_momentum, LinearWeightMomentum, "bf16LinearWeightMomentum")                                \
  X(linear_weight_adam, LinearWeightAdam, "bf16LinearWeightAdam")

namespace milliner {

struct Bf16Table {
  const char* name;
#define MILLINER_FIELD(kernel, Args, js) Kernel<Args> kernel;
  MILLINER_BF16_KERNELS(MILLINER_FIELD)
#undef MILLINER_FIELD
};

// Defined by table.cc of the sets that were compiled; dispatch/bf16.cc knows which.
namespace amx {
extern const Bf16Table table;
}
namespace emulated {
extern const Bf16Table table;
}

} // namespace milliner
