#include "kernels/activation.h"
#include "kernels/max_pool2d_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

CASE("max_pool2d takes the first of the largest, and its backward adds overlapping windows in order") {
  Numbers shapes(5);
  for (int round = 0; round < 60; round++) {
    const MaxPool2dGeometry g = {shapes.below(4),     3 + shapes.below(8), 3 + shapes.below(8),
                                 shapes.below(40),    1 + shapes.below(3), 1 + shapes.below(3),
                                 1 + shapes.below(3), 1 + shapes.below(3)};
    const Index image = g.height * g.width * g.channels, pooled = g.out_height() * g.out_width() * g.channels;
    Numbers numbers(static_cast<unsigned>(round));
    Floats x(g.n * image, numbers), y(g.n * pooled, 2), dy(g.n * pooled, numbers), dx(g.n * image, 3);
    test::Guarded<std::int32_t> argmax(g.n * pooled, 1);
    for (Index i = 0; i < g.n * image; i++)
      x[i] = numbers.chance(0.02) ? std::numeric_limits<float>::quiet_NaN()
                                  : static_cast<float>(numbers.below(5));

    RUN(max_pool2d_forward, (MaxPool2dForward{x.data(), y.data(), argmax.data(), g}), 1 + round % 3);
    RUN(max_pool2d_backward, (MaxPool2dBackward{dy.data(), argmax.data(), dx.data(), g}), 1 + round % 2);

    std::vector<float> expected(static_cast<std::size_t>(g.n * image));
    Index at = 0;
    for (Index i = 0; i < g.n; i++)
      for (Index oy = 0; oy < g.out_height(); oy++)
        for (Index ox = 0; ox < g.out_width(); ox++)
          for (Index channel = 0; channel < g.channels; channel++, at++) {
            const Index winner = max_pool2d_ref(g, x.data() + i * image, oy, ox, channel);
            CHECK(argmax[at] == winner);
            CHECK(test::same_bits(&y[at], &x[i * image + winner], 1));
            float& sum = expected[static_cast<std::size_t>(i * image + winner)];
            sum = sum + dy[at];
          }
    CHECK(test::same_bits(dx.data(), expected.data(), g.n * image));
    CHECK(y.intact() && dx.intact() && argmax.intact());
  }
}

CASE("max_pool2d_activation_backward is the gate's, the pooling's and the activation's backward in turn") {
  Numbers shapes(6);
  for (int round = 0; round < 70; round++) {
    const bool large = round >= 60; // several blocks of its sums
    MaxPool2dGeometry g = {large ? 5 : shapes.below(4),
                           (large ? 50 : 3) + shapes.below(8),
                           (large ? 50 : 3) + shapes.below(8),
                           large ? shapes.below(20) : shapes.below(70),
                           1 + shapes.below(3),
                           1 + shapes.below(3),
                           0,
                           0};
    g.stride_y = g.kernel_height + shapes.below(2);
    g.stride_x = g.kernel_width + shapes.below(2);
    const Index pixels = g.n * g.height * g.width, outputs = g.n * g.out_height() * g.out_width();
    Numbers numbers(static_cast<unsigned>(round));
    Floats h(pixels * g.channels, numbers), y(outputs * g.channels), dy(outputs * g.channels, numbers);
    Floats gate(g.channels, numbers, 3), dgate(g.channels), dbias(g.channels, 2), dv(pixels * g.channels, 5);
    test::Guarded<std::int32_t> argmax(outputs * g.channels, 1);
    for (Index i = 0; i < g.channels; i += 3)
      gate[i] = 0;
    const bool relu = round % 3 > 0, gated = round % 2 > 0;
    const double keep = relu && round % 4 ? 0.7 : 1;
    for (Index i = 0; i < pixels * g.channels && relu; i++)
      h[i] = h[i] > 0 ? h[i] : 0.0f;
    if (round % 4 == 3) {
      test::put_non_finite(h, numbers, 0.02);
      test::put_non_finite(dy, numbers, 0.02);
    }
    RUN(max_pool2d_forward, (MaxPool2dForward{h.data(), y.data(), argmax.data(), g}), 1);

    RUN(max_pool2d_activation_backward,
        (MaxPool2dActivationBackward{dy.data(), argmax.data(), y.data(), gated ? gate.data() : nullptr,
                                     dv.data(), gated ? dgate.data() : nullptr, dbias.data(), g, relu, keep}),
        1 + round % 3);

    Floats du(outputs * g.channels), dh(pixels * g.channels), expected(pixels * g.channels);
    Floats expected_dgate(g.channels), expected_dbias(g.channels);
    RUN(activation_backward,
        (ActivationBackward{dy.data(), y.data(), gated ? gate.data() : nullptr, du.data(),
                            gated ? expected_dgate.data() : nullptr, nullptr, outputs, g.channels, false, 1}),
        1);
    RUN(max_pool2d_backward, (MaxPool2dBackward{du.data(), argmax.data(), dh.data(), g}), 1);
    RUN(activation_backward,
        (ActivationBackward{dh.data(), h.data(), nullptr, expected.data(), nullptr, expected_dbias.data(),
                            pixels, g.channels, relu, keep}),
        1);
    CHECK(test::same_bits(dv.data(), expected.data(), pixels * g.channels));
    CHECK(!gated || test::same_bits(dgate.data(), expected_dgate.data(), g.channels));
    CHECK(test::same_bits(dbias.data(), expected_dbias.data(), g.channels));
    CHECK(dv.intact() && dgate.intact() && dbias.intact());
  }
}
