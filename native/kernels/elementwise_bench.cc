#include "bench/bench.h"

using namespace milliner;

// The passes around the products of a 64 x 2000 layer, and one over 4 million weights.
BENCH(elementwise) {
  const Index rows = 64, units = 2000, n = rows * units;
  const double bytes = 8.0 * static_cast<double>(n);
  const bench::Buffer x(n), y(n), gate(units), dgate(units), dbias(units);
  bench.measure("exp", "64x2000", 0, bytes, bench.table.exp, Unary{x.data(), y.data(), n});
  bench.measure("tanh", "64x2000", 0, bytes, bench.table.tanh, Unary{x.data(), y.data(), n});
  bench.measure("sigmoid", "64x2000", 0, bytes, bench.table.sigmoid, Unary{x.data(), y.data(), n});
  bench.measure("dropout", "64x2000", 0, bytes, bench.table.dropout,
                Dropout{x.data(), y.data(), rows, units, 0.5, {1, 2, 3, 4}});
  bench.measure("activation_backward", "64x2000", 0, 1.5 * bytes, bench.table.activation_backward,
                ActivationBackward{x.data(), x.data(), gate.data(), y.data(), dgate.data(), dbias.data(),
                                   rows, units, true, 0.5});
  const Index weights = 2000 * 2000;
  const bench::Buffer w(weights), g(weights);
  std::vector<std::uint32_t> locks(static_cast<std::size_t>(2000 * lock_words(2000)), 0x0F0F3355u);
  const double traffic = 12.0 * static_cast<double>(weights);
  bench.measure("sgd", "2000x2000", 0, traffic, bench.table.sgd,
                Sgd{w.data(), g.data(), 1e-6f, nullptr, 2000, 2000});
  bench.measure("sgd", "2000x2000 locked", 0, traffic, bench.table.sgd,
                Sgd{w.data(), g.data(), 1e-6f, locks.data(), 2000, 2000});
  std::vector<double> totals(static_cast<std::size_t>(ceil_div(weights, kSumChunk)));
  bench.measure("sum_squares", "2000x2000", 0, 4.0 * static_cast<double>(weights), bench.table.sum_squares,
                SumSquares{w.data(), totals.data(), weights});
}
