#include "bench/bench.h"

using namespace milliner;

BENCH(linear_forward) {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 2000},    {64, 2000, 2000}, {64, 2000, 10},  {256, 2048, 2048}, {1024, 1024, 1024},
                {2048, 2048, 2048}, {16, 2000, 2000}, {4, 2000, 2000}, {1, 2000, 2000}};
  for (const auto& [n, k, m] : shapes) {
    const bench::Buffer x(n * k), w(m * k), bias(m), gate(m), h(n * m), y(n * m);
    LinearForward args{};
    args.x = x.data(), args.w = w.data(), args.bias = bias.data(), args.y = y.data();
    args.n = n, args.k = k, args.m = m;
    const double flops = 2.0 * static_cast<double>(n * k * m), bytes = 4.0 * static_cast<double>(m * k);
    const std::string shape = std::to_string(n) + "x" + std::to_string(k) + "x" + std::to_string(m);
    bench.measure("linear_forward", shape, flops, bytes, bench.table.linear_forward, args);
    if (n != 64 || m == 10)
      continue;
    // Inputs that are 0 in the whole batch, as the border of digits is: flops count all.
    if (k == 784) {
      bench::Buffer digits(n * k);
      for (Index i = 0; i < n * k; i++)
        digits.data()[i] = i % k / 7 % 2 ? digits.data()[i] : 0;
      args.x = digits.data();
      bench.measure("linear_forward", shape + " half of x 0", flops, bytes, bench.table.linear_forward, args);
      args.x = x.data();
    }
    const bench::Buffer active(n * k);
    bench::put_zeros(active, n * k);
    args.x = active.data();
    bench.measure("linear_forward", shape + " 3/4 of x 0", flops, bytes, bench.table.linear_forward, args);
    args.x = x.data();
    args.relu = args.drop = true, args.keep = 0.5, args.random = {1, 2, 3, 4};
    args.gate = gate.data(), args.h = h.data();
    bench.measure("linear_forward", shape + " relu drop gate", flops, bytes, bench.table.linear_forward,
                  args);
  }
}
