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
