// Reference of batch_norm.h: the statistics' order one number at a time, and the formulas in double.
#pragma once

#include "kernels/batch_norm.h"

#include <cmath>
#include <vector>

namespace milliner {

struct StatisticsRef {
  float mean = 0, squares = 0;
};

// The stated order; x(row) is a channel's value.
template <class Value> StatisticsRef statistics_ref(Index rows, const Value& x) {
  StatisticsRef all;
  for (Index from = 0; from < rows; from += 64) {
    const Index to = smaller(from + 64, rows);
    float sum = 0, squares = 0;
    for (Index row = from; row < to; row++)
      sum = sum + x(row);
    const float mean = sum / static_cast<float>(to - from);
    for (Index row = from; row < to; row++) {
      const float distance = x(row) - mean;
      squares = std::fma(distance, distance, squares);
    }
    if (from == 0) {
      all = {mean, squares};
      continue;
    }
    const auto size = static_cast<double>(to - from), before = static_cast<double>(from);
    const float distance = mean - all.mean;
    all.mean = std::fma(distance, static_cast<float>(size / (before + size)), all.mean);
    all.squares = all.squares +
                  std::fma(distance * distance, static_cast<float>(before * size / (before + size)), squares);
  }
  return all;
}

// One channel of the backward in double. y is forward's output, whose sign masks dy.
struct BatchNormGradientRef {
  double dgamma = 0, dbeta = 0;
  double dgamma_magnitude = 0, dbeta_magnitude = 0; // the sums of |terms|
  double root = 0, scale = 0;

  BatchNormGradientRef(const BatchNormBackward& args, const float* y, Index channel) {
    root = 1 / std::sqrt(static_cast<double>(args.variance[channel]) + args.epsilon);
    scale = static_cast<double>(args.gamma[channel]) * root;
    for (Index row = 0; row < args.rows; row++) {
      const double g = passed(args, y, row, channel), part = g * distance(args, row, channel) * root;
      dgamma += part;
      dgamma_magnitude += std::abs(part);
      dbeta += g;
      dbeta_magnitude += std::abs(g);
    }
  }
  static double passed(const BatchNormBackward& args, const float* y, Index row, Index channel) {
    const Index at = row * args.channels + channel;
    return args.relu && y[at] <= 0 ? 0 : static_cast<double>(args.dy[at]);
  }
  static double distance(const BatchNormBackward& args, Index row, Index channel) {
    return static_cast<double>(args.x[row * args.channels + channel]) -
           static_cast<double>(args.mean[channel]);
  }
  double dx(const BatchNormBackward& args, const float* y, Index row, Index channel) const {
    const double g = passed(args, y, row, channel), rows = static_cast<double>(args.rows);
    return scale *
           (args.training ? g - dbeta / rows - distance(args, row, channel) * root * dgamma / rows : g);
  }
  double dx_magnitude(const BatchNormBackward& args, const float* y, Index row, Index channel) const {
    const double g = std::abs(passed(args, y, row, channel)), rows = static_cast<double>(args.rows);
    const double part = std::abs(distance(args, row, channel)) * root * dgamma_magnitude;
    return std::abs(scale) * (args.training ? g + (dbeta_magnitude + part) / rows : g);
  }
};

} // namespace milliner
