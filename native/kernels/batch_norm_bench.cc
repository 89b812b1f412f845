#include "bench/bench.h"

using namespace milliner;

// The first and the last normalisation of a ResNet-18 (CIFAR stem) at batch 32. The bytes are those of one
// read per input and one write per output; the backward needs its inputs twice.
BENCH(batch_norm) {
  for (const auto& [rows, channels] : {std::pair<Index, Index>{32 * 32 * 32, 64}, {32 * 4 * 4, 512}}) {
    const bench::Buffer x(rows * channels, 1), dy(rows * channels, 2), y(rows * channels), mean(channels),
        variance(channels), gamma(channels), beta(channels), dgamma(channels), dbeta(channels);
    const std::string shape = std::to_string(rows) + "x" + std::to_string(channels);
    const double bytes = 4.0 * static_cast<double>(rows * channels);
    bench.measure("batch_norm_statistics", shape, 0, bytes, bench.table.batch_norm_statistics,
                  BatchNormStatistics{x.data(), mean.data(), variance.data(), rows, channels});
    for (const bool relu : {false, true}) {
      const std::string name = shape + (relu ? " relu" : "");
      bench.measure("batch_norm_forward", name, 0, 2 * bytes, bench.table.batch_norm_forward,
                    BatchNormForward{x.data(), mean.data(), variance.data(), gamma.data(), beta.data(),
                                     y.data(), rows, channels, 1e-5, relu});
      bench.measure("batch_norm_backward", name, 0, 5 * bytes, bench.table.batch_norm_backward,
                    BatchNormBackward{dy.data(), x.data(), mean.data(), variance.data(), gamma.data(),
                                      beta.data(), y.data(), dgamma.data(), dbeta.data(), rows, channels,
                                      1e-5, relu, true});
    }
  }
}
