#include "kernels/batch_norm_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

const Index kRows[] = {1, 2, 63, 64, 65, 127, 128, 200};

std::vector<float> copy(const Floats& x) { return {x.data(), x.data() + x.size()}; }

// Variances as they occur: above 0, some of them nothing beside epsilon.
void make_variances(Floats& variance, Numbers& numbers) {
  for (Index i = 0; i < variance.size(); i++)
    variance[i] = std::abs(numbers.next()) * (numbers.chance(0.2) ? 1e-6f : 1);
}

} // namespace

CASE("batch_norm_statistics add in the stated order, for any split") {
  for (const Index channels : test::sizes_up_to(129))
    for (const Index rows : kRows) {
      Numbers numbers(static_cast<unsigned>(rows * 1000 + channels));
      const Floats x(rows * channels, numbers);
      Floats mean(channels, 2), variance(channels, 3);

      RUN(batch_norm_statistics,
          (BatchNormStatistics{x.data(), mean.data(), variance.data(), rows, channels}), 1 + rows % 3);

      for (Index channel = 0; channel < channels; channel++) {
        const auto value = [&](Index row) { return x[row * channels + channel]; };
        const StatisticsRef ref = statistics_ref(rows, value);
        const float expected = ref.squares / static_cast<float>(rows);
        CHECK(test::same_bits(&mean[channel], &ref.mean, 1));
        CHECK(test::same_bits(&variance[channel], &expected, 1));
      }
      CHECK(mean.intact() && variance.intact());
    }
}

CASE("batch_norm_statistics keep their digits where the mean is a thousand deviations away") {
  const Index rows = 5000, channels = 3;
  Numbers numbers(9);
  Floats x(rows * channels, numbers), mean(channels), variance(channels);
  for (Index i = 0; i < x.size(); i++)
    x[i] = 1000 + static_cast<float>(numbers.below(2049) - 1024) / 1024;

  RUN(batch_norm_statistics, (BatchNormStatistics{x.data(), mean.data(), variance.data(), rows, channels}),
      1);

  for (Index channel = 0; channel < channels; channel++) {
    double sum = 0, squares = 0;
    for (Index row = 0; row < rows; row++)
      sum += static_cast<double>(x[row * channels + channel]);
    for (Index row = 0; row < rows; row++)
      squares += std::pow(static_cast<double>(x[row * channels + channel]) - sum / rows, 2);
    const double bound = (66 + 3.0 * static_cast<double>(ceil_div(rows, 64))) * std::ldexp(1001, -24);
    CHECK(std::abs(static_cast<double>(mean[channel]) - sum / rows) <= bound);
    // A chunk's sum of 64,000 is rounded 64 times to 2^-8: its mean is off by some 2e-4, and all the merged squares
    // by some 1e-5 (2.5e-5 in 1200 draws). Squares about zero, of 1e6 and their sums, would have kept no digit.
    CHECK(std::abs(static_cast<double>(variance[channel]) / (squares / rows) - 1) <= 1e-4);
  }
}

CASE("batch_norm_forward is the formula, and has the same bits on every set and split") {
  for (const Index channels : test::sizes_up_to(129))
    for (const Index rows : kRows) {
      Numbers numbers(static_cast<unsigned>(rows * 1000 + channels));
      const Floats x(rows * channels, numbers), mean(channels, numbers, 2), gamma(channels, numbers, 3),
          beta(channels, numbers);
      Floats variance(channels, 2), y(rows * channels, 3);
      make_variances(variance, numbers);
      const bool relu = (rows + channels) % 2 == 0;
      const BatchNormForward args = {x.data(), mean.data(), variance.data(), gamma.data(), beta.data(),
                                     y.data(), rows,        channels,        1e-5,         relu};
      RUN_SCALAR(batch_norm_forward, args);
      const std::vector<float> scalar = copy(y);
      y.poison();

      RUN(batch_norm_forward, args, 1 + rows % 3);

      CHECK(test::same_bits(y.data(), scalar.data(), y.size()));
      CHECK(y.intact());
      for (Index i = 0; i < y.size(); i++) {
        const Index channel = i % channels;
        const double part = (static_cast<double>(x[i]) - static_cast<double>(mean[channel])) *
                            static_cast<double>(gamma[channel]) /
                            std::sqrt(static_cast<double>(variance[channel]) + 1e-5);
        const double v = part + static_cast<double>(beta[channel]);
        // difference, epsilon, root, quotient, product, fma
        const double bound = test::chain_bound(6, std::abs(part) + std::abs(v));
        CHECK(std::abs(static_cast<double>(y[i]) - (relu ? std::max(v, 0.0) : v)) <= bound);
      }
    }
}

CASE("batch_norm_backward stays within its bounds and gives the same bits on every set and split") {
  for (const Index channels : test::sizes_up_to(129))
    for (const Index rows : {1, 64, 65, 200}) {
      Numbers numbers(static_cast<unsigned>(rows * 1000 + channels));
      const Floats x(rows * channels, numbers), dy(rows * channels, numbers, 2), gamma(channels, numbers, 3),
          beta(channels, numbers), mean(channels, numbers);
      Floats variance(channels, 2), y(rows * channels), dx(rows * channels, 3), dgamma(channels),
          dbeta(channels, 2);
      make_variances(variance, numbers);
      const bool relu = channels % 2 == 0, training = (rows + channels) % 4 < 3;
      RUN(batch_norm_forward,
          (BatchNormForward{x.data(), mean.data(), variance.data(), gamma.data(), beta.data(), y.data(), rows,
                            channels, 1e-5, relu}),
          1);
      const BatchNormBackward args = {dy.data(),   x.data(),  mean.data(),   variance.data(), gamma.data(),
                                      beta.data(), dx.data(), dgamma.data(), dbeta.data(),    rows,
                                      channels,    1e-5,      relu,          training};
      RUN_SCALAR(batch_norm_backward, args);
      const std::vector<float> scalar_dx = copy(dx), scalar_dgamma = copy(dgamma), scalar_dbeta = copy(dbeta);
      dx.poison(), dgamma.poison(), dbeta.poison();

      RUN(batch_norm_backward, args, 1 + rows % 3);

      CHECK(test::same_bits(dx.data(), scalar_dx.data(), dx.size()));
      CHECK(test::same_bits(dgamma.data(), scalar_dgamma.data(), channels));
      CHECK(test::same_bits(dbeta.data(), scalar_dbeta.data(), channels));
      CHECK(dx.intact() && dgamma.intact() && dbeta.intact());
      for (Index channel = 0; channel < channels; channel++) {
        const BatchNormGradientRef ref(args, y.data(), channel);
        const Index chain = 64 + ceil_div(rows, 64);
        CHECK(std::abs(static_cast<double>(dgamma[channel]) - ref.dgamma) <=
              test::chain_bound(chain + 5, ref.dgamma_magnitude));
        CHECK(std::abs(static_cast<double>(dbeta[channel]) - ref.dbeta) <=
              test::chain_bound(chain, ref.dbeta_magnitude));
        for (Index row = 0; row < rows; row++)
          CHECK(std::abs(static_cast<double>(dx[row * channels + channel]) -
                         ref.dx(args, y.data(), row, channel)) <=
                test::chain_bound(chain + 12, ref.dx_magnitude(args, y.data(), row, channel)));
      }
    }
}

CASE("batch_norm_backward may write dx over dy") {
  Numbers numbers(3);
  const Index rows = 70, channels = 37;
  Floats dy(rows * channels, numbers), x(rows * channels, numbers), mean(channels, numbers),
      variance(channels), gamma(channels, numbers), beta(channels, numbers), dx(rows * channels),
      dgamma(channels), dbeta(channels);
  make_variances(variance, numbers);
  BatchNormBackward args = {
      dy.data(),     x.data(),     mean.data(), variance.data(), gamma.data(), beta.data(), dx.data(),
      dgamma.data(), dbeta.data(), rows,        channels,        1e-5,         true,        true};
  RUN(batch_norm_backward, args, 1);

  args.dx = dy.data();
  RUN(batch_norm_backward, args, 1);

  CHECK(test::same_bits(dy.data(), dx.data(), dx.size()));
}

CASE("a NaN of a row comes out of batch_norm_forward behind its ReLU, and its gradient passes") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float x[] = {-1, nan, 1}, dy[] = {5, 7, 11}, one = 1, zero = 0;
  float y[3], dx[3], dgamma, dbeta;

  RUN(batch_norm_forward, (BatchNormForward{x, &zero, &one, &one, &zero, y, 3, 1, 1e-5, true}), 1);
  RUN(batch_norm_backward,
      (BatchNormBackward{dy, x, &zero, &one, &one, &zero, dx, &dgamma, &dbeta, 3, 1, 1e-5, true, false}), 1);

  CHECK(y[0] == 0 && y[1] != y[1] && y[2] > 0);
  CHECK(dbeta == 18 && dgamma != dgamma);
}
