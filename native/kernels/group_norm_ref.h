// Reference of group_norm.h: the statistics in the stated order, one number at a time,
// and the gradients in double.
#pragma once

#include "kernels/batch_norm_ref.h"
#include "kernels/group_norm.h"

namespace milliner {

// 16 virtual lanes over count channels: lane = add(lane, channel).
template <class Add> float lanes_ref(Index count, const Add& add) {
  float lanes[16] = {};
  for (Index i = 0; i < count; i++)
    lanes[i % 16] = add(lanes[i % 16], i);
  for (Index half = 8; half > 0; half /= 2)
    for (Index i = 0; i < half; i++)
      lanes[i] = lanes[i] + lanes[i + half];
  return lanes[0];
}

struct GroupStatisticsRef {
  float mean, root;
};

inline GroupStatisticsRef group_statistics_ref(const GroupNormForward& args, Index i, Index group) {
  const GroupNormShape& shape = args.shape;
  const Index count = shape.group_channels();
  std::vector<StatisticsRef> of;
  for (Index channel = 0; channel < count; channel++)
    of.push_back(statistics_ref(shape.positions, [&](Index position) {
      return args.x[i * shape.example() + position * shape.channels + group * count + channel];
    }));
  const auto at = [&](Index channel) { return of[static_cast<std::size_t>(channel)]; };
  const float mean = lanes_ref(count, [&](float lane, Index channel) { return lane + at(channel).mean; }) /
                     static_cast<float>(count);
  const float squares = lanes_ref(count, [&](float lane, Index channel) {
    const float distance = at(channel).mean - mean;
    return std::fma(static_cast<float>(shape.positions) * distance, distance, lane + at(channel).squares);
  });
  const float variance = squares / static_cast<float>(count * shape.positions);
  return {mean, 1.0f / std::sqrt(variance + static_cast<float>(args.epsilon))};
}

// One group of one example of the input gradient, in double.
struct GroupNormGradientRef {
  const GroupNormInputGradient& args;
  Index i, group;
  double product = 0, sum = 0, product_magnitude = 0, sum_magnitude = 0;

  GroupNormGradientRef(const GroupNormInputGradient& of, Index example, Index of_group)
      : args(of), i(example), group(of_group) {
    const Index count = args.shape.group_channels();
    for (Index position = 0; position < args.shape.positions; position++)
      for (Index channel = group * count; channel < (group + 1) * count; channel++) {
        const double g = dy(position, channel) * static_cast<double>(args.gamma[channel]);
        product += g * distance(position, channel);
        sum += g;
        product_magnitude += std::abs(g * distance(position, channel));
        sum_magnitude += std::abs(g);
      }
  }
  Index at(Index position, Index channel) const {
    return i * args.shape.example() + position * args.shape.channels + channel;
  }
  double dy(Index position, Index channel) const {
    return static_cast<double>(args.dy[at(position, channel)]);
  }
  double distance(Index position, Index channel) const {
    return static_cast<double>(args.x[at(position, channel)]) -
           static_cast<double>(args.mean[i * args.shape.groups + group]);
  }
  double root() const { return static_cast<double>(args.root[i * args.shape.groups + group]); }
  double elements() const { return static_cast<double>(args.shape.positions * args.shape.group_channels()); }
  double dx(Index position, Index channel) const {
    const double g = dy(position, channel) * static_cast<double>(args.gamma[channel]);
    return root() *
           (g - sum / elements() - distance(position, channel) * root() * root() * product / elements());
  }
  double dx_magnitude(Index position, Index channel) const {
    const double g = std::abs(dy(position, channel) * static_cast<double>(args.gamma[channel]));
    const double part = std::abs(distance(position, channel)) * root() * root() * product_magnitude;
    return root() * (g + (sum_magnitude + part) / elements());
  }
};

} // namespace milliner
