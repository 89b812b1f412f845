// Group normalisation: each example by itself, its channels in groups of neighbours; and its gradients. Layer
// normalisation is one group and one position, where an example is a row.
// Source: Wu and He 2018; Ba, Kiros and Hinton 2016.
//
//   forward      mean and biased variance of a group's positions x channels / groups elements;
//                y = (x - mean) scale + beta, scale = gamma root, root = 1 / sqrt(variance + epsilon)
//   input        dx = root (gamma dy - s1 - (x - mean) root^2 s2), with the group's means
//                s1 = mean of gamma dy, s2 = mean of gamma dy (x - mean)
//   parameters   dgamma = sum over examples of root (sum over positions of dy (x - mean)),
//                dbeta = sum over examples and positions of dy
//
// Shapes   x, y, dy, dx [n, positions, channels]; mean, root [n, groups]; gamma, beta, dgamma, dbeta
//          [channels]. groups divides channels. No overlap, but dx may be dy.
// Bits     depend on the shape only. A channel of an example has mean_c and squares_c over its positions, and
//          its sums of dy and of dy (x - mean), as batch_norm.h has them over rows. Sums over a group's
//          channels run in 16 virtual lanes: lane j takes channels j, j + 16, ... from +0; lanes are combined
//          by halves.
//          Forward: mean = (lanes of + mean_c) / float32(channels),
//          variance = (lanes of lane = fma(float32(positions) d, d, lane + squares_c), d = mean_c - mean)
//              / float32(elements).
//          Input: lanes of fma(gamma, sum_c), divided by float32(elements), are s1 and s2;
//          dx = fma(dy, scale, fma(x - mean, slope, offset)),
//          slope = -((root root) (root s2)), offset = -(root s1).
//          Parameters: examples in chunks of 64 ascending, in a chunk chains of fma(sum_c, root) and of
//          + sum_c from +0, the chunks' added ascending.
// Items    examples; for the parameters, which are sums over examples, channels.
// Cost     forward reads x twice and writes y, input reads dy and x twice and writes dx: the second time from
//          L2, where an example fits in it. parameters read dy and x once.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct GroupNormShape {
  Index n, positions, channels, groups;

  constexpr Index group_channels() const { return groups > 0 ? channels / groups : 0; }
  constexpr Index example() const { return positions * channels; }
};

struct GroupNormForward {
  const float* x;
  const float* gamma;
  const float* beta;
  float* y;
  float* mean;
  float* root;
  GroupNormShape shape;
  double epsilon; // > 0
};

struct GroupNormInputGradient {
  const float* dy;
  const float* x;
  const float* mean;
  const float* root;
  const float* gamma;
  float* dx;
  GroupNormShape shape;
};

struct GroupNormParameterGradient {
  const float* dy;
  const float* x;
  const float* mean;
  const float* root;
  float* dgamma;
  float* dbeta;
  GroupNormShape shape;
};

} // namespace milliner
