#include "kernels/group_norm_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

// Examples of one position (rows of layer normalisation) and of several;
// groups narrower and wider than a vector.
const GroupNormShape kShapes[] = {
    {3, 1, 1, 1},   {5, 1, 7, 1},    {4, 1, 16, 1},   {3, 1, 33, 1},   {2, 1, 40, 5},   {2, 1, 129, 3},
    {70, 1, 48, 2}, {130, 1, 17, 1}, {2, 1, 1100, 1}, {3, 2, 4, 4},    {2, 64, 6, 2},   {2, 65, 33, 1},
    {1, 9, 64, 32}, {67, 3, 24, 4},  {2, 4, 600, 1},  {3, 130, 48, 2}, {2, 5, 1040, 2}, {0, 3, 8, 2},
};

std::vector<float> copy(const Floats& x) { return {x.data(), x.data() + x.size()}; }

std::string text(const GroupNormShape& s) {
  return std::to_string(s.n) + " " + std::to_string(s.positions) + " " + std::to_string(s.channels) + " " +
         std::to_string(s.groups);
}

double as_double(float x) { return static_cast<double>(x); }

} // namespace

CASE("group_norm_forward adds in the stated order and is the formula, for any split") {
  for (const GroupNormShape& shape : kShapes) {
    Numbers numbers(static_cast<unsigned>(shape.channels));
    const Floats x(shape.n * shape.example(), numbers), gamma(shape.channels, numbers, 2),
        beta(shape.channels, numbers, 3);
    Floats y(shape.n * shape.example(), 2), mean(shape.n * shape.groups), root(shape.n * shape.groups, 3);
    const GroupNormForward args = {x.data(),    gamma.data(), beta.data(), y.data(),
                                   mean.data(), root.data(),  shape,       1e-5};
    RUN_SCALAR(group_norm_forward, args);
    const std::vector<float> scalar = copy(y);
    y.poison(), mean.poison(), root.poison();

    RUN(group_norm_forward, args, 2);

    CHECK(test::same_bits(y.data(), scalar.data(), y.size()));
    CHECK(y.intact() && mean.intact() && root.intact());
    for (Index i = 0; i < shape.n; i++)
      for (Index group = 0; group < shape.groups; group++) {
        const GroupStatisticsRef ref = group_statistics_ref(args, i, group);
        if (!test::same_bits(&mean[i * shape.groups + group], &ref.mean, 1) ||
            !test::same_bits(&root[i * shape.groups + group], &ref.root, 1))
          check::fail(__FILE__, __LINE__, text(shape).c_str());
      }
    for (Index at = 0; at < y.size(); at++) {
      const Index channel = at % shape.channels;
      const Index of = at / shape.example() * shape.groups + channel / shape.group_channels();
      const double part =
          (as_double(x[at]) - as_double(mean[of])) * as_double(root[of]) * as_double(gamma[channel]);
      const double v = part + as_double(beta[channel]);
      CHECK(std::abs(as_double(y[at]) - v) <= test::chain_bound(3, std::abs(part) + std::abs(v)));
    }
  }
}

CASE("group_norm_forward is the formula in double where the mean is a thousand deviations away") {
  for (const GroupNormShape& shape : {GroupNormShape{2, 1, 700, 1}, {2, 200, 6, 2}}) {
    Numbers numbers(7);
    Floats x(shape.n * shape.example(), numbers), gamma(shape.channels, numbers),
        beta(shape.channels, numbers);
    Floats y(x.size()), mean(shape.n * shape.groups), root(shape.n * shape.groups);
    for (Index i = 0; i < x.size(); i++)
      x[i] = 1000 + static_cast<float>(numbers.below(2049) - 1024) / 1024;

    RUN(group_norm_forward,
        (GroupNormForward{x.data(), gamma.data(), beta.data(), y.data(), mean.data(), root.data(), shape,
                          1e-5}),
        1);

    const Index count = shape.group_channels();
    for (Index i = 0; i < shape.n; i++)
      for (Index group = 0; group < shape.groups; group++) {
        const auto elements = static_cast<double>(count * shape.positions);
        double mean_ref = 0, variance_ref = 0, farthest = 0; // a channel's mean from the group's
        for (int pass = 0; pass < 2; pass++)
          for (Index c = 0; c < count; c++) {
            double sum = 0;
            for (Index position = 0; position < shape.positions; position++) {
              const double v =
                  as_double(x[i * shape.example() + position * shape.channels + group * count + c]);
              sum += v;
              variance_ref += pass ? std::pow(v - mean_ref, 2) / elements : 0;
            }
            mean_ref += pass ? 0 : sum / elements;
            farthest = std::max(farthest,
                                pass ? std::abs(sum / static_cast<double>(shape.positions) - mean_ref) : 0);
          }
        // Of the mean as batch_norm.h says; it moves the distance of every channel's mean.
        const double bound = (66 + 3.0 * static_cast<double>(ceil_div(shape.positions, 64)) +
                              static_cast<double>(ceil_div(count, 16)) + 5) *
                             std::ldexp(1001, -24);
        const double moved = (2 * farthest * bound + bound * bound) / variance_ref;
        const double exact = 1 / std::sqrt(variance_ref + 1e-5);
        CHECK(std::abs(as_double(mean[i * shape.groups + group]) - mean_ref) <= bound);
        CHECK(std::abs(as_double(root[i * shape.groups + group]) / exact - 1) <= moved + 1e-5);
      }
  }
}

CASE("the gradients of group_norm stay within their bounds and have the same bits on every set and split") {
  for (const GroupNormShape& shape : kShapes) {
    Numbers numbers(static_cast<unsigned>(shape.channels));
    const Floats x(shape.n * shape.example(), numbers), dy(shape.n * shape.example(), numbers, 2),
        gamma(shape.channels, numbers, 3), mean(shape.n * shape.groups, numbers);
    Floats root(shape.n * shape.groups, numbers), dx(shape.n * shape.example(), 3), dgamma(shape.channels),
        dbeta(shape.channels, 2);
    for (Index i = 0; i < root.size(); i++)
      root[i] = std::abs(root[i]) + 0.125f;
    const GroupNormInputGradient input = {dy.data(),    x.data(),  mean.data(), root.data(),
                                          gamma.data(), dx.data(), shape};
    const GroupNormParameterGradient parameters = {dy.data(),     x.data(),     mean.data(), root.data(),
                                                   dgamma.data(), dbeta.data(), shape};
    RUN_SCALAR(group_norm_input_gradient, input);
    RUN_SCALAR(group_norm_parameter_gradient, parameters);
    const std::vector<float> scalar_dx = copy(dx), scalar_dgamma = copy(dgamma), scalar_dbeta = copy(dbeta);
    dx.poison(), dgamma.poison(), dbeta.poison();

    RUN(group_norm_input_gradient, input, 2);
    RUN(group_norm_parameter_gradient, parameters, 3);

    CHECK(test::same_bits(dx.data(), scalar_dx.data(), dx.size()));
    CHECK(test::same_bits(dgamma.data(), scalar_dgamma.data(), shape.channels));
    CHECK(test::same_bits(dbeta.data(), scalar_dbeta.data(), shape.channels));
    CHECK(dx.intact() && dgamma.intact() && dbeta.intact());
    const Index count = shape.group_channels();
    const Index chain = smaller(64, shape.positions) + ceil_div(shape.positions, 64);
    std::vector<double> sums(
        static_cast<std::size_t>(4 * shape.channels)); // dgamma, |dgamma|, dbeta, |dbeta|
    for (Index i = 0; i < shape.n; i++)
      for (Index group = 0; group < shape.groups; group++) {
        const GroupNormGradientRef ref(input, i, group);
        for (Index position = 0; position < shape.positions; position++)
          for (Index channel = group * count; channel < (group + 1) * count; channel++) {
            CHECK(std::abs(as_double(dx[ref.at(position, channel)]) - ref.dx(position, channel)) <=
                  test::chain_bound(chain + ceil_div(count, 16) + 14, ref.dx_magnitude(position, channel)));
            double* of = &sums[static_cast<std::size_t>(4 * channel)];
            const double g = ref.dy(position, channel),
                         part = g * ref.distance(position, channel) * ref.root();
            of[0] += part, of[1] += std::abs(part), of[2] += g, of[3] += std::abs(g);
          }
      }
    for (Index channel = 0; channel < shape.channels; channel++) {
      const double* of = &sums[static_cast<std::size_t>(4 * channel)];
      const Index length = chain + smaller(64, shape.n) + ceil_div(shape.n, 64);
      CHECK(std::abs(as_double(dgamma[channel]) - of[0]) <= test::chain_bound(length + 3, of[1]));
      CHECK(std::abs(as_double(dbeta[channel]) - of[2]) <= test::chain_bound(length, of[3]));
    }
  }
}

CASE("group_norm_input_gradient may write dx over dy") {
  for (const GroupNormShape& shape : {GroupNormShape{3, 1, 40, 2}, {2, 70, 24, 3}}) {
    Numbers numbers(3);
    Floats x(shape.n * shape.example(), numbers), dy(x.size(), numbers), dx(x.size()),
        gamma(shape.channels, numbers), mean(shape.n * shape.groups, numbers),
        root(shape.n * shape.groups, numbers);
    GroupNormInputGradient args = {dy.data(),    x.data(),  mean.data(), root.data(),
                                   gamma.data(), dx.data(), shape};
    RUN(group_norm_input_gradient, args, 1);

    args.dx = dy.data();
    RUN(group_norm_input_gradient, args, 1);

    CHECK(test::same_bits(dy.data(), dx.data(), dx.size()));
  }
}
