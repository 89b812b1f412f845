#include "bench/bench.h"
#include "kernels/conv2d.h"
#include "kernels/max_pool2d.h"

using namespace milliner;

namespace {

// HAT's AlexNet; ResNet-18 with the CIFAR stem; and what the ImageNet stem makes of 32 x 32 pixels.
constexpr Conv2dGeometry kLayers[] = {
    {64, 32, 32, 3, 64, 4, 4, 1, 1, 0, 0},    {64, 14, 14, 64, 128, 3, 3, 1, 1, 0, 0},
    {64, 6, 6, 128, 256, 2, 2, 1, 1, 0, 0},

    {32, 32, 32, 3, 64, 3, 3, 1, 1, 1, 1},    {32, 32, 32, 64, 64, 3, 3, 1, 1, 1, 1},
    {32, 32, 32, 64, 128, 3, 3, 2, 2, 1, 1},  {32, 32, 32, 64, 128, 1, 1, 2, 2, 0, 0},
    {32, 16, 16, 128, 128, 3, 3, 1, 1, 1, 1}, {32, 16, 16, 128, 256, 3, 3, 2, 2, 1, 1},
    {32, 16, 16, 128, 256, 1, 1, 2, 2, 0, 0}, {32, 8, 8, 256, 256, 3, 3, 1, 1, 1, 1},
    {32, 8, 8, 256, 512, 3, 3, 2, 2, 1, 1},   {32, 8, 8, 256, 512, 1, 1, 2, 2, 0, 0},
    {32, 4, 4, 512, 512, 3, 3, 1, 1, 1, 1},

    {32, 32, 32, 3, 64, 7, 7, 2, 2, 3, 3},    {32, 2, 2, 256, 256, 3, 3, 1, 1, 1, 1},
    {32, 1, 1, 512, 512, 3, 3, 1, 1, 1, 1}};

std::string name(const Conv2dGeometry& g) {
  return std::to_string(g.n) + "x" + std::to_string(g.height) + "x" + std::to_string(g.width) + " " +
         std::to_string(g.in) + "->" + std::to_string(g.out) + " k" + std::to_string(g.kernel_height) +
         (g.stride_y > 1 ? " s" + std::to_string(g.stride_y) : "") +
         (g.pad_y > 0 ? " p" + std::to_string(g.pad_y) : "");
}

struct Layer {
  const Conv2dGeometry& g;
  Index inputs = g.n * g.height * g.width * g.in, outputs = g.n * g.out_height() * g.out_width() * g.out;
  bench::Buffer x{inputs}, w{g.out * g.chain()}, y{outputs}, bias{g.out};
  double bytes = 4.0 * static_cast<double>(inputs + outputs + g.out * g.chain());

  explicit Layer(const Conv2dGeometry& geometry) : g(geometry) {}
};

} // namespace

BENCH(conv2d_forward) {
  for (const Conv2dGeometry& g : kLayers) {
    const Layer l(g);
    const Conv2dForward args = {l.x.data(), l.w.data(), l.bias.data(), l.y.data(), g, true};
    bench.measure("conv2d_forward", name(g), g.flops(), l.bytes, bench.table.conv2d_forward, args);
  }
}

BENCH(conv2d_input_gradient) {
  for (const Conv2dGeometry& g : kLayers) {
    if (g.in == 3)
      continue; // images have no gradient
    const Layer l(g);
    const bench::Buffer part(l.outputs);
    bench::put_zeros(part, l.outputs, 8);
    for (const auto& [what, dy] : {std::pair("", &l.y), std::pair(" 7/8 of dy 0", &part)})
      bench.measure("conv2d_input_gradient", name(g) + what, g.flops(), l.bytes,
                    bench.table.conv2d_input_gradient,
                    Conv2dInputGradient{dy->data(), l.w.data(), l.x.data(), g});
  }
}

BENCH(conv2d_weight_gradient) {
  for (const Conv2dGeometry& g : kLayers) {
    const Layer l(g);
    const bench::Buffer part(l.outputs);
    bench::put_zeros(part, l.outputs, 8);
    for (const auto& [what, dy] : {std::pair("", &l.y), std::pair(" 7/8 of dy 0", &part)})
      bench.measure("conv2d_weight_gradient", name(g) + what, g.flops(), l.bytes,
                    bench.table.conv2d_weight_gradient,
                    Conv2dWeightGradient{dy->data(), l.x.data(), l.w.data(), g});
  }
}

BENCH(max_pool2d) {
  // HAT's AlexNet, and overlapping windows.
  const MaxPool2dGeometry layers[] = {{64, 29, 29, 64, 2, 2, 2, 2},
                                      {64, 12, 12, 128, 2, 2, 2, 2},
                                      {64, 5, 5, 256, 2, 2, 2, 2},
                                      {32, 16, 16, 64, 3, 3, 2, 2}};
  for (const MaxPool2dGeometry& g : layers) {
    const Index inputs = g.n * g.height * g.width * g.channels,
                outputs = g.n * g.out_height() * g.out_width() * g.channels;
    const bench::Buffer x(inputs), y(outputs), argmax(outputs);
    auto* positions = reinterpret_cast<std::int32_t*>(argmax.data());
    const double bytes = 4.0 * static_cast<double>(inputs + 2 * outputs);
    const std::string shape = std::to_string(g.n) + "x" + std::to_string(g.height) + "x" +
                              std::to_string(g.width) + "x" + std::to_string(g.channels) + " k" +
                              std::to_string(g.kernel_height) + " s" + std::to_string(g.stride_y);
    bench.measure("max_pool2d_forward", shape, 0, bytes, bench.table.max_pool2d_forward,
                  MaxPool2dForward{x.data(), y.data(), positions, g});
    bench.measure("max_pool2d_backward", shape, 0, bytes, bench.table.max_pool2d_backward,
                  MaxPool2dBackward{y.data(), positions, x.data(), g});
  }
}
