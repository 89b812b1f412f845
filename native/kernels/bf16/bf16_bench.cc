// The bf16 products at the shapes of the float32 ones, whose rows they are to be compared with. Where the
// machine has no tiles they are skipped, and the reason goes to stderr.
#include "bench/bench.h"
#include "dispatch/bf16.h"

#include <cstdio>

using namespace milliner;

BENCH(bf16) {
  const Bf16Choice& choice = chosen_bf16();
  if (!choice.table) {
    std::fprintf(stderr, "bf16: SKIPPED: %s\n", choice.reason.c_str());
    return;
  }
  const Bf16Table& table = *choice.table;
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 2000}, {64, 2000, 2000}, {256, 2048, 2048}, {16, 2000, 2000}};
  for (const auto& [n, k, m] : shapes) {
    const bench::Buffer x(n * k), w(m * k), bias(m), y(n * m), dy(n * m), dx(n * k);
    const double flops = 2.0 * static_cast<double>(n * k * m), bytes = 4.0 * static_cast<double>(m * k);
    const std::string shape =
        std::to_string(n) + "x" + std::to_string(k) + "x" + std::to_string(m) + " " + table.name;
    LinearForward forward{};
    forward.x = x.data(), forward.w = w.data(), forward.bias = bias.data(), forward.y = y.data();
    forward.n = n, forward.k = k, forward.m = m;
    bench.measure("bf16_linear_forward", shape, flops, bytes, table.linear_forward, forward);
    const LinearInputGradient input = {dy.data(), w.data(), dx.data(), n, k, m};
    bench.measure("bf16_linear_input_gradient", shape, flops, bytes, table.linear_input_gradient, input);
    LinearWeightUpdate update{};
    update.dy = dy.data(), update.x = x.data(), update.w = w.data(), update.lr = 0;
    update.n = n, update.k = k, update.m = m;
    bench.measure("bf16_linear_weight_update", shape, flops, 2 * bytes, table.linear_weight_update, update);
  }
}
