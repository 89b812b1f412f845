#include "bench/bench.h"

using namespace milliner;

// The end of a ResNet-18 (CIFAR stem) at batch 32, and its first block's feature maps.
BENCH(global_average_pool) {
  for (const auto& [positions, channels] : {std::pair<Index, Index>{4 * 4, 512}, {32 * 32, 64}}) {
    const Index n = 32;
    const bench::Buffer x(n * positions * channels), y(n * channels);
    const std::string shape =
        std::to_string(n) + "x" + std::to_string(positions) + "x" + std::to_string(channels);
    const double bytes = 4.0 * static_cast<double>(n * positions * channels);
    bench.measure("global_average_pool", shape, 0, bytes, bench.table.global_average_pool_forward,
                  GlobalAveragePoolForward{x.data(), y.data(), n, positions, channels});
    bench.measure("its backward", shape, 0, bytes, bench.table.global_average_pool_backward,
                  GlobalAveragePoolBackward{y.data(), x.data(), n, positions, channels});
  }
}
