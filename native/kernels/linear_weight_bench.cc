#include "bench/bench.h"

using namespace milliner;

BENCH(linear_weight) {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 2000}, {64, 2000, 2000}, {64, 2000, 10}, {256, 2048, 2048}, {16, 2000, 2000}};
  for (const auto& [n, k, m] : shapes) {
    const bench::Buffer dy(n * m), x(n * k), w(m * k), post(m), pre(k);
    const double flops = 2.0 * static_cast<double>(n * k * m), bytes = 8.0 * static_cast<double>(m * k);
    const std::string shape = std::to_string(n) + "x" + std::to_string(k) + "x" + std::to_string(m);
    LinearWeightUpdate args{};
    args.dy = dy.data(), args.x = x.data(), args.w = w.data(), args.lr = 1e-6f;
    args.n = n, args.k = k, args.m = m;
    const LinearWeightGradient gradient = {args.dy, args.x, args.w, n, k, m};
    bench.measure("linear_weight_gradient", shape, flops, bytes, bench.table.linear_weight_gradient,
                  gradient);
    bench.measure("linear_weight_update", shape, flops, bytes, bench.table.linear_weight_update, args);
    if (n != 64 || m == 10)
      continue;
    args.post = post.data(), args.pre = pre.data();
    bench.measure("linear_weight_update", shape + " conditioned", flops, bytes,
                  bench.table.linear_weight_update, args);
    args.post = args.pre = nullptr;
    // Half of the units protected, in runs of 100 and 1 by 1: flops count the dense product.
    for (const Index run : {100, 1}) {
      std::vector<std::uint32_t> locks(static_cast<std::size_t>(m * lock_words(k)));
      for (Index i = 0; i < m; i++)
        for (Index j = 0; j < k; j++)
          if (i / run % 2 == 0 && j / run % 2 == 0)
            locks[static_cast<std::size_t>(i * lock_words(k) + j / 32)] |= 1u << (j % 32);
      args.locks = locks.data();
      bench.measure("linear_weight_update", shape + " locked, runs of " + std::to_string(run), flops, bytes,
                    bench.table.linear_weight_update, args);
    }
    args.locks = nullptr;
  }
}
