#include "kernels/hat_gate.h"

#include "kernels/elementary.h"
#include "kernels/set.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kUnits = 16 * kLanes;        // units of an item
constexpr float kSaturation = 16.635532333f; // 24 ln 2: the float32 sigmoid is exactly 1 from here on
constexpr float kLimit = 50.0f;              // thres_cosh of the published code

MILLINER_INLINE F hyperbolic_cosine(F x) {
  const F u = exponential(absolute(x));
  return (u + splat(1.0f) / u) * splat(0.5f);
}

MILLINER_INLINE F plain_gradient(F da, F a, F s) { return da * (splat(1.0f) - a) * a * s; }

MILLINER_INLINE F closed_gradient(F da, F e, F s_max) {
  const F u = exponential(-absolute(e));
  const F d = splat(1.0f) + u;
  return da * s_max * u / (d * d);
}

MILLINER_INLINE F official_gradient(F da, F e, F s, F s_max_over_s) {
  const F x = s * e, limit = splat(kLimit);
  const F clamped = x < -limit ? -limit : (x > limit ? limit : x);
  const F numerator = hyperbolic_cosine(clamped) + splat(1.0f);
  const F denominator = hyperbolic_cosine(e) + splat(1.0f);
  return plain_gradient(da, logistic(x), s) * (s_max_over_s * numerator / denominator);
}

} // namespace

Work gate_forward_work(const GateForward& args) noexcept {
  return {ceil_div(args.units, kUnits), 2.0 * static_cast<double>(args.units), 0};
}

void gate_forward_run(const GateForward& args, Range items, float*) noexcept {
  const F s = splat(static_cast<float>(args.s));
  for_vectors(items.begin * kUnits, smaller(items.end * kUnits, args.units), [&](Index i, Index lanes) {
    const F x = s * load_first(args.e + i, lanes);
    const F a = logistic(x);
    store_first(args.a + i, args.windowed ? (x < splat(-kLimit) ? F{} : a) : a, lanes);
  });
}

Work gate_backward_work(const GateBackward& args) noexcept {
  return {ceil_div(args.units, kUnits), 4.0 * static_cast<double>(args.units), 0};
}

void gate_backward_run(const GateBackward& args, Range items, float*) noexcept {
  const F s = splat(static_cast<float>(args.s)), s_max = splat(static_cast<float>(args.s_max));
  const F s_max_over_s = splat(static_cast<float>(args.s_max / args.s)); // in double first, as published
  for_vectors(items.begin * kUnits, smaller(items.end * kUnits, args.units), [&](Index i, Index lanes) {
    const F da = load_first(args.da + i, lanes), e = load_first(args.e + i, lanes);
    const F x = s * e;
    F q{};
    switch (args.rule) {
    case GateRule::windowed:
      q = x >= splat(kSaturation) ? da - da : closed_gradient(da, e, s_max);
      q = x <= splat(-kLimit) ? F{} : q;
      break;
    case GateRule::straight:
      q = closed_gradient(da, e, s_max);
      break;
    case GateRule::official:
      q = official_gradient(da, e, s, s_max_over_s);
      break;
    case GateRule::off:
      q = plain_gradient(da, logistic(x), s);
      break;
    }
    store_first(args.q + i, q, lanes);
  });
}

} // namespace milliner::MILLINER_SET
