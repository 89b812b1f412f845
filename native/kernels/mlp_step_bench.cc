#include "bench/bench.h"

using namespace milliner;

// All products of a training step of the 784-2000-2000-10 MLP at batch 64, in the step's order: 22 MB of
// weights pass the caches, so each product meets them as they are in training and not as its own last run
// left them. The gradients have come back through ReLU and dropout, three quarters of them zero;
// flops count all.
BENCH(mlp_step) {
  constexpr Index n = 64, k = 784, m = 2000, classes = 10;
  const bench::Buffer x(n * k), w1(m * k), w2(m * m), head(classes * m), bias(m), gate(m), h1(n * m),
      y1(n * m), h2(n * m), y2(n * m), logits(n * classes), dh(n * m), dy1(n * m), dy2(n * m);
  bench::put_zeros(dy1, n * m);
  bench::put_zeros(dy2, n * m);
  const auto forward = [&](const bench::Buffer& from, const bench::Buffer& w, const bench::Buffer* h,
                           const bench::Buffer& to, Index inputs, Index units) {
    LinearForward args{};
    args.x = from.data(), args.w = w.data(), args.bias = bias.data(), args.y = to.data();
    args.n = n, args.k = inputs, args.m = units;
    if (h) {
      args.gate = gate.data(), args.h = h->data();
      args.relu = args.drop = true, args.keep = 0.5, args.random = {1, 2, 3, 4};
    }
    return bench.launcher(bench.table.linear_forward, args);
  };
  const auto input_gradient = [&](const bench::Buffer& dy, const bench::Buffer& w, const bench::Buffer& dx,
                                  Index inputs, Index units) {
    const LinearInputGradient args{dy.data(), w.data(), dx.data(), n, inputs, units};
    return bench.launcher(bench.table.linear_input_gradient, args);
  };
  const auto update = [&](const bench::Buffer& dy, const bench::Buffer& from, const bench::Buffer& w,
                          Index inputs, Index units) {
    LinearWeightUpdate args{};
    args.dy = dy.data(), args.x = from.data(), args.w = w.data(), args.lr = 1e-9f;
    args.n = n, args.k = inputs, args.m = units;
    return bench.launcher(bench.table.linear_weight_update, args);
  };
  const auto part = [](const char* name, Index inputs, Index units, std::function<void()> run) {
    const auto weights = static_cast<double>(inputs * units);
    return bench::Bench::Part{name, 2.0 * static_cast<double>(n) * weights, 4.0 * weights, std::move(run)};
  };
  bench.measure_in_turn(
      "mlp_step",
      {part("forward 1", k, m, forward(x, w1, &h1, y1, k, m)),
       part("forward 2", m, m, forward(y1, w2, &h2, y2, m, m)),
       part("forward head", m, classes, forward(y2, head, nullptr, logits, m, classes)),
       part("input gradient head", m, classes, input_gradient(logits, head, dh, m, classes)),
       part("input gradient 2", m, m, input_gradient(dy2, w2, dh, m, m)),
       part("update head", m, classes, update(logits, y2, head, m, classes)),
       part("update 2", m, m, update(dy2, y1, w2, m, m)), part("update 1", k, m, update(dy1, x, w1, k, m))});
}
