#include "bench/bench.h"

#include <random>

using namespace milliner;

namespace {

using Locks = std::vector<std::uint32_t>;

// Bits where locked(i, j).
template <class Locked> Locks lock_where(Index m, Index k, const Locked& locked) {
  Locks locks(static_cast<std::size_t>(m * lock_words(k)));
  for (Index i = 0; i < m; i++)
    for (Index j = 0; j < k; j++)
      if (locked(i, j))
        locks[static_cast<std::size_t>(i * lock_words(k) + j / 32)] |= 1u << (j % 32);
  return locks;
}

// Units each task uses, drawn with density 0.5: bit t of element i is set where task t uses unit i.
std::vector<unsigned> used_by_tasks(Index units, int tasks, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<unsigned> used(static_cast<std::size_t>(units));
  for (unsigned& tasks_of_unit : used)
    tasks_of_unit = (random() >> 8) & ((1u << tasks) - 1u);
  return used;
}

} // namespace

BENCH(linear_weight) {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 2000},   {64, 1000, 1000}, {64, 2000, 2000}, {64, 2000, 10},
                {256, 2048, 2048}, {16, 2000, 2000}, {16, 1000, 1000}};
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
    if (m == 10)
      continue;
    const bench::Buffer active(n * m);
    bench::put_zeros(active, n * m);
    args.dy = active.data();
    bench.measure("linear_weight_update", shape + " 3/4 of dy 0", flops, bytes,
                  bench.table.linear_weight_update, args);
    args.dy = dy.data();
    if (k == 784) {
      // Inputs that are 0 in the whole batch, as the border of digits is: flops count all.
      bench::Buffer digits(n * k);
      for (Index i = 0; i < n * k; i++)
        digits.data()[i] = i % k / 7 % 3 ? digits.data()[i] : 0;
      args.x = digits.data();
      bench.measure("linear_weight_update", shape + " a third of x 0", flops, bytes,
                    bench.table.linear_weight_update, args);
      args.x = x.data();
    }
    const bench::Buffer first(m * k), second(m * k, 2);
    for (Index i = 0; i < m * k; i++)
      second.data()[i] *= second.data()[i]; // a mean of squares
    const LinearWeightMomentum momentum = {
        args.dy, args.x, args.w, first.data(), {1e-6f, 0.9f, 0, false}, nullptr, nullptr, nullptr, n, k, m};
    LinearWeightAdam adam = {args.dy,
                             args.x,
                             args.w,
                             first.data(),
                             second.data(),
                             {1e-6f, 1, 0, 0.1f, 0.999f, 1e-3f, 1, 1e-8f},
                             nullptr,
                             nullptr,
                             nullptr,
                             n,
                             k,
                             m};
    bench.measure("linear_weight_momentum", shape, flops, 2 * bytes, bench.table.linear_weight_momentum,
                  momentum);
    bench.measure("linear_weight_adam", shape, flops, 3 * bytes, bench.table.linear_weight_adam, adam);
    if (n == 64) {
      args.post = post.data(), args.pre = pre.data();
      bench.measure("linear_weight_update", shape + " conditioned", flops, bytes,
                    bench.table.linear_weight_update, args);
      args.post = args.pre = nullptr;
    }
    // Flops count the dense product below: what is locked is not computed, so the rate passes the peak.
    const auto measure_locked = [&](const char* what, const Locks& locks) {
      args.locks = locks.data();
      bench.measure("linear_weight_update", shape + " " + what, flops, bytes,
                    bench.table.linear_weight_update, args);
      adam.locks = locks.data();
      bench.measure("linear_weight_adam", shape + " " + what, flops, 3 * bytes,
                    bench.table.linear_weight_adam, adam);
    };
    // Rule `min`, half of the units protected: the arithmetic that is left is 3/4.
    measure_locked("min, runs of 100",
                   lock_where(m, k, [](Index i, Index j) { return i / 100 % 2 == 0 && j / 100 % 2 == 0; }));
    const std::vector<unsigned> rows = used_by_tasks(m, 5, 1), columns = used_by_tasks(k, 5, 2);
    const auto of = [](const std::vector<unsigned>& used, Index i) {
      return used[static_cast<std::size_t>(i)];
    };
    measure_locked("min, random half", lock_where(m, k, [&](Index i, Index j) {
                     return (of(rows, i) & of(columns, j) & 1) != 0;
                   }));
    // Rule `tight`, 5 tasks that use half of the units each: 0.24 of the arithmetic is left.
    measure_locked("tight, 5 tasks",
                   lock_where(m, k, [&](Index i, Index j) { return (of(rows, i) & of(columns, j)) != 0; }));
  }
}
