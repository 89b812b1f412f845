#include "kernels/group_norm.h"

#include "kernels/channel_passes.h"
#include "kernels/set.h"
#include "kernels/virtual_lanes.h"

// Examples with several positions are taken as batch norm takes a batch: sums of every channel first, with
// channels along the lanes; a group's few numbers are then spread over its channels. With one position, as in
// layer normalisation, a channel's sum is its only element, and what is needed of the group stands
// in a register.

namespace milliner::MILLINER_SET {
namespace {

double nanoseconds(const GroupNormShape& shape, double bytes) {
  return bytes * static_cast<double>(shape.n) * static_cast<double>(shape.example()) / kBytesPerNanosecond;
}

// A float per channel, for `arrays` arrays, each from a cache line on.
std::size_t workspace_of(const GroupNormShape& shape, Index arrays) {
  return shape.positions == 1 ? 0
                              : static_cast<std::size_t>(arrays * round_up(shape.channels, kItemChannels));
}
float* array_in(float* workspace, const GroupNormShape& shape, Index i) {
  return workspace + i * round_up(shape.channels, kItemChannels);
}

struct Sums {
  float first, second;
};

// Sums over `count` channels in 16 virtual lanes; term(lane, lane, channel, channels in use) adds to both.
template <class Term> MILLINER_INLINE Sums over_group(Index count, const Term& term) {
  F first[kSumVectors] = {}, second[kSumVectors] = {};
  Index i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes)
    MILLINER_UNROLL for (int j = 0; j < kSumVectors; j++)
        term(first[j], second[j], i + j * kLanes, Index{kLanes});
  for (int j = 0; j < kSumVectors && i + j * kLanes < count; j++) {
    const Index lanes = smaller(count - i - j * kLanes, kLanes);
    const I mask = lanes_of((1u << lanes) - 1u);
    F a = first[j], b = second[j];
    term(a, b, i + j * kLanes, lanes);
    first[j] = mask ? a : first[j];
    second[j] = mask ? b : second[j];
  }
  float lanes[2][kSumLanes];
  for (int j = 0; j < kSumVectors; j++) {
    store(lanes[0] + j * kLanes, first[j]);
    store(lanes[1] + j * kLanes, second[j]);
  }
  return {combine(lanes[0]), combine(lanes[1])};
}

float mean_of(const float* means, Index count) {
  const Sums sums = over_group(
      count, [&](F& sum, F&, Index at, Index lanes) { sum = sum + load_first(means + at, lanes); });
  return sums.first / static_cast<float>(count);
}

// squares may be null, where every channel has one element.
float variance_of(const float* means, const float* squares, Index count, Index positions, float mean) {
  const F middle = splat(mean), weight = splat(static_cast<float>(positions));
  const Sums sums = over_group(count, [&](F& sum, F&, Index at, Index lanes) {
    const F distance = load_first(means + at, lanes) - middle;
    sum = fma(weight * distance, distance, squares ? sum + load_first(squares + at, lanes) : sum);
  });
  return sums.first / static_cast<float>(count * positions);
}

float root_of(float variance, double epsilon) {
  return 1.0f / __builtin_sqrtf(variance + static_cast<float>(epsilon));
}

// Writes a group's number to all its channels.
void spread(float* channels, Index count, float value) {
  for_vectors(0, count, [&](Index at, Index lanes) { store_first(channels + at, splat(value), lanes); });
}
void scale_by(float* scale, const float* gamma, Index count, float root) {
  for_vectors(0, count, [&](Index at, Index lanes) {
    store_first(scale + at, load_first(gamma + at, lanes) * splat(root), lanes);
  });
}

// One position: a group is a row of its own.
void forward_row(const GroupNormForward& args, Index group, Index row) {
  const Index count = args.shape.group_channels();
  const float* x = args.x + row * args.shape.channels + group * count;
  float* y = args.y + row * args.shape.channels + group * count;
  const float mean = mean_of(x, count);
  const float root = root_of(variance_of(x, nullptr, count, 1, mean), args.epsilon);
  args.mean[row * args.shape.groups + group] = mean;
  args.root[row * args.shape.groups + group] = root;
  const float* gamma = args.gamma + group * count;
  const float* beta = args.beta + group * count;
  for_vectors(0, count, [&](Index at, Index lanes) {
    const F scale = load_first(gamma + at, lanes) * splat(root);
    store_first(y + at, fma(load_first(x + at, lanes) - splat(mean), scale, load_first(beta + at, lanes)),
                lanes);
  });
}

void forward_example(const GroupNormForward& args, Index i, float* workspace) {
  const GroupNormShape& shape = args.shape;
  const Index count = shape.group_channels();
  const float* x = args.x + i * shape.example();
  float* y = args.y + i * shape.example();
  float* const means = array_in(workspace, shape, 0);
  float* const squares = array_in(workspace, shape, 1); // then the scale
  for_blocks(0, shape.channels, [&](Index first, Index channels) {
    channel_statistics({shape.positions, shape.channels, channels}, x + first, means + first,
                       squares + first);
  });
  for (Index group = 0; group < shape.groups; group++) {
    const Index first = group * count;
    const float mean = mean_of(means + first, count);
    const float root =
        root_of(variance_of(means + first, squares + first, count, shape.positions, mean), args.epsilon);
    args.mean[i * shape.groups + group] = mean;
    args.root[i * shape.groups + group] = root;
    spread(means + first, count, mean);
    scale_by(squares + first, args.gamma + first, count, root);
  }
  for_blocks(0, shape.channels, [&](Index first, Index channels) {
    normalise<false>({shape.positions, shape.channels, channels},
                     {means + first, squares + first, args.beta + first}, x + first, y + first);
  });
}

// What dx takes from the sums over a group of gamma dy (x - mean) and gamma dy.
struct Slopes {
  float slope, offset;
};
Slopes slopes_of(const Sums& sums, Index elements, float root) {
  const auto size = static_cast<float>(elements);
  return {-((root * root) * (root * (sums.first / size))), -(root * (sums.second / size))};
}

void input_gradient_row(const GroupNormInputGradient& args, Index group, Index row) {
  const Index count = args.shape.group_channels(), from = row * args.shape.channels + group * count;
  const float* gamma = args.gamma + group * count;
  const F mean = splat(args.mean[row * args.shape.groups + group]);
  const float root = args.root[row * args.shape.groups + group];
  const Sums sums = over_group(count, [&](F& product, F& sum, Index at, Index lanes) {
    const F distance = load_first(args.x + from + at, lanes) - mean;
    const F dy = load_first(args.dy + from + at, lanes), factor = load_first(gamma + at, lanes);
    product = fma(factor, dy * distance, product);
    sum = fma(factor, dy, sum);
  });
  const Slopes slopes = slopes_of(sums, count, root);
  for_vectors(0, count, [&](Index at, Index lanes) {
    const F distance = load_first(args.x + from + at, lanes) - mean;
    const F scale = load_first(gamma + at, lanes) * splat(root);
    const F rest = fma(distance, splat(slopes.slope), splat(slopes.offset));
    store_first(args.dx + from + at, fma(load_first(args.dy + from + at, lanes), scale, rest), lanes);
  });
}

void input_gradient_example(const GroupNormInputGradient& args, Index i, float* workspace) {
  const GroupNormShape& shape = args.shape;
  const Index count = shape.group_channels();
  const float* x = args.x + i * shape.example();
  const float* dy = args.dy + i * shape.example();
  float* dx = args.dx + i * shape.example();
  float* const means = array_in(workspace, shape, 0);
  float* const scale = array_in(workspace, shape, 1);
  float* const products = array_in(workspace, shape, 2); // then the slopes
  float* const sums = array_in(workspace, shape, 3);     // then the offsets
  for (Index group = 0; group < shape.groups; group++) {
    spread(means + group * count, count, args.mean[i * shape.groups + group]);
    scale_by(scale + group * count, args.gamma + group * count, count, args.root[i * shape.groups + group]);
  }
  for_blocks(0, shape.channels, [&](Index first, Index channels) {
    gradient_sums<false>({shape.positions, shape.channels, channels}, {means + first, scale + first, nullptr},
                         dy + first, x + first, products + first, sums + first);
  });
  for (Index group = 0; group < shape.groups; group++) {
    const Index first = group * count;
    const Sums both = over_group(count, [&](F& product, F& sum, Index at, Index lanes) {
      const F gamma = load_first(args.gamma + first + at, lanes);
      product = fma(gamma, load_first(products + first + at, lanes), product);
      sum = fma(gamma, load_first(sums + first + at, lanes), sum);
    });
    const Slopes slopes = slopes_of(both, count * shape.positions, args.root[i * shape.groups + group]);
    spread(products + first, count, slopes.slope);
    spread(sums + first, count, slopes.offset);
  }
  for_blocks(0, shape.channels, [&](Index first, Index channels) {
    normalise_backward<false>({shape.positions, shape.channels, channels},
                              {means + first, scale + first, nullptr}, products + first, sums + first,
                              dy + first, x + first, dx + first);
  });
}

// The numbers of an example's groups for the channels from `at` on.
MILLINER_INLINE F of_groups(const float* numbers, Index at, Index lanes, Index group_channels) {
  if (at / group_channels == (at + lanes - 1) / group_channels)
    return splat(numbers[at / group_channels]);
  F v{};
  for (Index lane = 0; lane < lanes; lane++)
    v[lane] = numbers[(at + lane) / group_channels];
  return v;
}

// Sums over the examples of a chunk, one position each. The rows lie as far apart as the channels are many.
void add_rows(const GroupNormParameterGradient& args, Index first, Index channels, Index from, Index to,
              float* products, float* sums) {
  const GroupNormShape& shape = args.shape;
  const Index count = shape.group_channels();
  Lookahead ahead(from, shape.n, shape.channels, channels);
  for_columns<kColumnVectors>(0, channels, [&](auto columns, Index at) {
    constexpr int V = columns.vectors;
    const Index channel = first + at, width = V > 1 ? V * kLanes : columns.lanes, group = channel / count;
    const bool one_group = group == (channel + width - 1) / count;
    F product[V] = {}, sum[V] = {};
    for (Index row = from; row < to; row++) {
      ahead.next<V>(args.x + first, args.dy + first);
      const float* x = args.x + row * shape.channels + channel;
      const float* dy = args.dy + row * shape.channels + channel;
      const float* mean = args.mean + row * shape.groups;
      const float* root = args.root + row * shape.groups;
      MILLINER_UNROLL for (int j = 0; j < V; j++) {
        const Index lane = channel + j * kLanes, lanes = V > 1 ? Index{kLanes} : columns.lanes;
        const F middle = one_group ? splat(mean[group]) : of_groups(mean, lane, lanes, count);
        const F factor = one_group ? splat(root[group]) : of_groups(root, lane, lanes, count);
        const F g = columns.read(dy, j);
        product[j] = fma(g * (columns.read(x, j) - middle), factor, product[j]);
        sum[j] = sum[j] + g;
      }
    }
    MILLINER_UNROLL for (int j = 0; j < V; j++) {
      columns.write(products + at, j, product[j]);
      columns.write(sums + at, j, sum[j]);
    }
  });
}

// The same for examples with several positions.
void add_examples(const GroupNormParameterGradient& args, Index first, Index channels, Index from, Index to,
                  float* products, float* sums, float* workspace) {
  const GroupNormShape& shape = args.shape;
  const Index count = shape.group_channels();
  float* const means = workspace;
  float* const product = workspace + kBlockChannels;
  float* const sum = workspace + 2 * kBlockChannels;
  for_vectors(0, channels, [&](Index at, Index lanes) {
    store_first(products + at, F{}, lanes);
    store_first(sums + at, F{}, lanes);
  });
  for (Index i = from; i < to; i++) {
    for_vectors(0, channels, [&](Index at, Index lanes) {
      store_first(means + at, of_groups(args.mean + i * shape.groups, first + at, lanes, count), lanes);
      store_first(product + at, F{}, lanes); // without positions nothing else does
      store_first(sum + at, F{}, lanes);
    });
    gradient_sums<false>({shape.positions, shape.channels, channels}, {means, nullptr, nullptr},
                         args.dy + i * shape.example() + first, args.x + i * shape.example() + first, product,
                         sum);
    for_vectors(0, channels, [&](Index at, Index lanes) {
      const F root = of_groups(args.root + i * shape.groups, first + at, lanes, count);
      store_first(products + at, fma(load_first(product + at, lanes), root, load_first(products + at, lanes)),
                  lanes);
      store_first(sums + at, load_first(sums + at, lanes) + load_first(sum + at, lanes), lanes);
    });
  }
}

} // namespace

Work group_norm_forward_work(const GroupNormForward& args) noexcept {
  return {args.shape.example() == 0 ? 0 : args.shape.n, nanoseconds(args.shape, 8),
          workspace_of(args.shape, 2)};
}

void group_norm_forward_run(const GroupNormForward& args, Range items, float* workspace) noexcept {
  for (Index i = items.begin; i < items.end; i++)
    if (args.shape.positions == 1)
      for (Index group = 0; group < args.shape.groups; group++)
        forward_row(args, group, i);
    else
      forward_example(args, i, workspace);
}

Work group_norm_input_gradient_work(const GroupNormInputGradient& args) noexcept {
  return {args.shape.example() == 0 ? 0 : args.shape.n, nanoseconds(args.shape, 12),
          workspace_of(args.shape, 4)};
}

void group_norm_input_gradient_run(const GroupNormInputGradient& args, Range items,
                                   float* workspace) noexcept {
  for (Index i = items.begin; i < items.end; i++)
    if (args.shape.positions == 1)
      for (Index group = 0; group < args.shape.groups; group++)
        input_gradient_row(args, group, i);
    else
      input_gradient_example(args, i, workspace);
}

Work group_norm_parameter_gradient_work(const GroupNormParameterGradient& args) noexcept {
  return {ceil_div(args.shape.channels, kItemChannels), nanoseconds(args.shape, 8), 5 * kBlockChannels};
}

void group_norm_parameter_gradient_run(const GroupNormParameterGradient& args, Range items,
                                       float* workspace) noexcept {
  float* const products = workspace;
  float* const sums = workspace + kBlockChannels;
  for_item_blocks(items, args.shape.channels, [&](Index first, Index channels) {
    float* const dgamma = args.dgamma + first;
    float* const dbeta = args.dbeta + first;
    for_vectors(0, channels, [&](Index at, Index lanes) {
      store_first(dgamma + at, F{}, lanes);
      store_first(dbeta + at, F{}, lanes);
    });
    for (Index from = 0; from < args.shape.n; from += kChunkRows) {
      const Index to = smaller(from + kChunkRows, args.shape.n);
      if (args.shape.positions == 1)
        add_rows(args, first, channels, from, to, products, sums);
      else
        add_examples(args, first, channels, from, to, products, sums, workspace + 2 * kBlockChannels);
      for_vectors(0, channels, [&](Index at, Index lanes) {
        store_first(dgamma + at, load_first(dgamma + at, lanes) + load_first(products + at, lanes), lanes);
        store_first(dbeta + at, load_first(dbeta + at, lanes) + load_first(sums + at, lanes), lanes);
      });
    }
  });
}

} // namespace milliner::MILLINER_SET
