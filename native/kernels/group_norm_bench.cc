#include "bench/bench.h"

using namespace milliner;

// Layer normalisation of rows, and groups of 4 channels of images. Bytes as in batch_norm_bench.cc.
BENCH(group_norm) {
  for (const GroupNormShape& shape : {GroupNormShape{4096, 1, 512, 1}, {32, 32 * 32, 64, 16}}) {
    const Index size = shape.n * shape.example();
    const bench::Buffer x(size, 1), dy(size, 2), y(size), gamma(shape.channels), beta(shape.channels),
        dgamma(shape.channels), dbeta(shape.channels), mean(shape.n * shape.groups),
        root(shape.n * shape.groups);
    const std::string name = std::to_string(shape.n) + "x" + std::to_string(shape.positions) + "x" +
                             std::to_string(shape.channels) + " in " + std::to_string(shape.groups);
    const double bytes = 4.0 * static_cast<double>(size);
    bench.measure("group_norm_forward", name, 0, 2 * bytes, bench.table.group_norm_forward,
                  GroupNormForward{x.data(), gamma.data(), beta.data(), y.data(), mean.data(), root.data(),
                                   shape, 1e-5});
    bench.measure(
        "group_norm_input", name, 0, 3 * bytes, bench.table.group_norm_input_gradient,
        GroupNormInputGradient{dy.data(), x.data(), mean.data(), root.data(), gamma.data(), y.data(), shape});
    bench.measure("group_norm_parameter", name, 0, 2 * bytes, bench.table.group_norm_parameter_gradient,
                  GroupNormParameterGradient{dy.data(), x.data(), mean.data(), root.data(), dgamma.data(),
                                             dbeta.data(), shape});
  }
}
