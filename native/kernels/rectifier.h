// ReLU and its backward, for every kernel that has them, alone or fused. Both ask what is not above 0, which a
// NaN is not: it comes out as a NaN, and what comes back behind one passes.
#pragma once

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// +0 where v <= 0, -0 included; elsewhere v.
MILLINER_INLINE F rectified(F v) { return v <= F{} ? F{} : v; }

// The gradient of v where `output` is rectified(v) and `dy` its gradient.
MILLINER_INLINE F rectified_backward(F dy, F output) { return output <= F{} ? F{} : dy; }

} // namespace
} // namespace milliner::MILLINER_SET
