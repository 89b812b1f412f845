#include "bench/bench.h"

using namespace milliner;

BENCH(linear_input_gradient) {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 2000},    {64, 2000, 2000},   {64, 2000, 10},  {256, 2048, 2048},
                {1024, 1024, 1024}, {2048, 2048, 2048}, {16, 2000, 2000}};
  for (const auto& [n, k, m] : shapes) {
    const bench::Buffer dy(n * m), w(m * k), dx(n * k);
    const bench::Buffer part(n * m);
    bench::put_zeros(part, n * m);
    const std::string shape = std::to_string(n) + "x" + std::to_string(k) + "x" + std::to_string(m);
    const double flops = 2.0 * static_cast<double>(n * k * m), bytes = 4.0 * static_cast<double>(m * k);
    for (const auto& [what, from] : {std::pair("", &dy), std::pair(" 3/4 of dy 0", &part)})
      bench.measure("linear_input_gradient", shape + what, flops, bytes, bench.table.linear_input_gradient,
                    LinearInputGradient{from->data(), w.data(), dx.data(), n, k, m});
  }
}
