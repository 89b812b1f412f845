// The arithmetic of an optimizer for one vector of elements: the only place where it is written, so that a
// step in the tile of a weight gradient and a step from a materialised gradient have the same bits.
//
// A rule changes streams[0], the weights, and streams[1..], its state,
// by the gradient g of the same elements.
#pragma once

#include "kernels/optimizer_step.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

struct SgdRule {
  static constexpr int kStreams = 1;
  static constexpr bool kStaysWithoutGradient = true; // fma(-lr, +0, w) is w
  F step;

  explicit SgdRule(float lr) : step(splat(-lr)) {}

  MILLINER_INLINE void operator()(F g, F (&streams)[1]) const { streams[0] = fma(step, g, streams[0]); }
};

MILLINER_INLINE F with_decay(F g, F w, float decay) { return decay == 0 ? g : fma(splat(decay), w, g); }

// Momentum without a velocity: SGD with weight decay.
struct DecayRule {
  static constexpr int kStreams = 1;
  static constexpr bool kStaysWithoutGradient = false;
  F step;
  float decay;

  explicit DecayRule(const MomentumFactors& factors) : step(splat(-factors.lr)), decay(factors.decay) {}

  MILLINER_INLINE void operator()(F g, F (&streams)[1]) const {
    streams[0] = fma(step, with_decay(g, streams[0], decay), streams[0]);
  }
};

struct MomentumRule {
  static constexpr int kStreams = 2;
  static constexpr bool kStaysWithoutGradient = false;
  F step, momentum;
  float decay;
  bool nesterov;

  explicit MomentumRule(const MomentumFactors& factors)
      : step(splat(-factors.lr)), momentum(splat(factors.momentum)), decay(factors.decay),
        nesterov(factors.nesterov) {}

  MILLINER_INLINE void operator()(F g, F (&streams)[2]) const {
    const F decayed = with_decay(g, streams[0], decay);
    const F velocity = fma(momentum, streams[1], decayed);
    streams[1] = velocity;
    streams[0] = fma(step, nesterov ? fma(momentum, velocity, decayed) : velocity, streams[0]);
  }
};

struct AdamRule {
  static constexpr int kStreams = 3;
  static constexpr bool kStaysWithoutGradient = false;
  AdamFactors factors;

  explicit AdamRule(const AdamFactors& given) : factors(given) {}

  MILLINER_INLINE void operator()(F g, F (&streams)[3]) const {
    const F decayed = with_decay(g, streams[0], factors.decay);
    const F mean = fma(splat(factors.mean_share), decayed - streams[1], streams[1]);
    const F square =
        fma(splat(factors.square_share) * decayed, decayed, splat(factors.square_keep) * streams[2]);
    const F root = fma(square_root(square), splat(factors.correction), splat(factors.epsilon));
    streams[0] = fma(splat(-factors.step), mean / root, splat(factors.shrink) * streams[0]);
    streams[1] = mean;
    streams[2] = square;
  }
};

// The arrays that a rule reads and writes, of one shape: the weights, then its state.
template <int S> struct Streams {
  float* at[S];
};

template <class Rule>
MILLINER_INLINE void step_vector(const Rule& rule, F g, const Streams<Rule::kStreams>& streams,
                                 Index offset) {
  F values[Rule::kStreams];
  MILLINER_UNROLL for (int s = 0; s < Rule::kStreams; s++) values[s] = load(streams.at[s] + offset);
  rule(g, values);
  MILLINER_UNROLL for (int s = 0; s < Rule::kStreams; s++) store(streams.at[s] + offset, values[s]);
}

// Only the lanes of `bits` are read or written.
template <class Rule>
MILLINER_INLINE void step_lanes(const Rule& rule, F g, const Streams<Rule::kStreams>& streams, Index offset,
                                std::uint32_t bits) {
  const I lanes = lanes_of(bits);
  F values[Rule::kStreams];
  MILLINER_UNROLL for (int s = 0; s < Rule::kStreams; s++) values[s] =
      load_lanes(streams.at[s] + offset, lanes);
  rule(g, values);
  MILLINER_UNROLL for (int s = 0; s < Rule::kStreams; s++)
      store_lanes(streams.at[s] + offset, values[s], lanes);
}

// p[columns[l]] of every lane l.
MILLINER_INLINE F gather(const float* p, const std::int32_t* columns) {
  F values;
  MILLINER_UNROLL for (int l = 0; l < kLanes; l++) values[l] = p[columns[l]];
  return values;
}

// Lane l is element columns[l]; only the first `count` lanes are written.
template <class Rule>
MILLINER_INLINE void step_listed(const Rule& rule, F g, const Streams<Rule::kStreams>& streams, Index offset,
                                 const std::int32_t* columns, Index count) {
  F values[Rule::kStreams];
  MILLINER_UNROLL for (int s = 0; s < Rule::kStreams; s++) values[s] =
      gather(streams.at[s] + offset, columns);
  rule(g, values);
  MILLINER_UNROLL for (int s = 0; s < Rule::kStreams; s++) {
    float* p = streams.at[s] + offset;
    if (count == kLanes) {
      MILLINER_UNROLL for (int l = 0; l < kLanes; l++) p[columns[l]] = values[s][l];
    } else {
      alignas(64) float written[kLanes];
      store(written, values[s]);
      for (Index l = 0; l < count; l++)
        p[columns[l]] = written[l];
    }
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
