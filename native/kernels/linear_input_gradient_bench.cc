#include "bench/bench.h"

using namespace milliner;

BENCH(linear_input_gradient) {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 2000},    {64, 2000, 2000},   {64, 2000, 10},  {256, 2048, 2048},
                {1024, 1024, 1024}, {2048, 2048, 2048}, {16, 2000, 2000}};
  for (const auto& [n, k, m] : shapes) {
    const bench::Buffer dy(n * m), w(m * k), dx(n * k);
    const LinearInputGradient args = {dy.data(), w.data(), dx.data(), n, k, m};
    bench.measure("linear_input_gradient",
                  std::to_string(n) + "x" + std::to_string(k) + "x" + std::to_string(m),
                  2.0 * static_cast<double>(n * k * m), 4.0 * static_cast<double>(m * k),
                  bench.table.linear_input_gradient, args);
  }
}
