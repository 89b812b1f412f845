#include "bench/bench.h"
#include "kernels/conv2d.h"

using namespace milliner;

BENCH(conv2d) {
  // HAT's AlexNet-like layers, then two of ResNet-18 with padding.
  const Conv2dGeometry layers[] = {{64, 32, 32, 3, 64, 4, 4, 1, 1, 0, 0},
                                   {64, 14, 14, 64, 128, 3, 3, 1, 1, 0, 0},
                                   {64, 6, 6, 128, 256, 2, 2, 1, 1, 0, 0},
                                   {8, 32, 32, 64, 64, 3, 3, 1, 1, 1, 1},
                                   {8, 16, 16, 128, 128, 3, 3, 2, 2, 1, 1}};
  for (const Conv2dGeometry& g : layers) {
    const Index inputs = g.n * g.height * g.width * g.in,
                outputs = g.n * g.out_height() * g.out_width() * g.out;
    const bench::Buffer x(inputs), w(g.out * g.chain()), y(outputs), bias(g.out);
    const std::string shape = std::to_string(g.n) + "x" + std::to_string(g.height) + "x" +
                              std::to_string(g.width) + " " + std::to_string(g.in) + "->" +
                              std::to_string(g.out) + " k" + std::to_string(g.kernel_height) + " s" +
                              std::to_string(g.stride_y);
    const double bytes = 4.0 * static_cast<double>(inputs + outputs);
    const Conv2dForward forward = {x.data(), w.data(), bias.data(), y.data(), g, true};
    bench.measure("conv2d_forward", shape, g.flops(), bytes, bench.table.conv2d_forward, forward);
    const Conv2dInputGradient input = {y.data(), w.data(), x.data(), g};
    bench.measure("conv2d_input_gradient", shape, g.flops(), bytes, bench.table.conv2d_input_gradient, input);
    const Conv2dWeightGradient weight = {y.data(), x.data(), w.data(), g};
    bench.measure("conv2d_weight_gradient", shape, g.flops(), bytes, bench.table.conv2d_weight_gradient,
                  weight);
  }
}
