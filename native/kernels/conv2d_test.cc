#include "kernels/conv2d_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

// One output's sum twice: the chain of the contract, and in double with the scale of its error bound.
struct Terms {
  float chain = 0;
  double exact = 0, magnitude = 0;
  Index terms = 0;

  void operator()(float a, float b) {
    chain = std::fma(a, b, chain);
    const double term = static_cast<double>(a) * static_cast<double>(b);
    exact += term;
    magnitude += std::abs(term);
    terms++;
  }
  bool is_within_bound(float result) const {
    return std::abs(static_cast<double>(result) - exact) <= test::chain_bound(terms, magnitude);
  }
};

struct Problem {
  Conv2dGeometry g;
  Index inputs, outputs, weights;
  Numbers numbers;
  Floats x, w, bias, y, dx, dw;

  Problem(const Conv2dGeometry& geometry, unsigned seed)
      : g(geometry), inputs(g.n * g.height * g.width * g.in),
        outputs(g.n * g.out_height() * g.out_width() * g.out), weights(g.out * g.chain()), numbers(seed),
        x(inputs, numbers, 1), w(weights, numbers, 3), bias(g.out, numbers, 2), y(outputs, 5), dx(inputs, 7),
        dw(weights, 1) {}
};

std::vector<Conv2dGeometry> geometries() {
  std::vector<Conv2dGeometry> list = {
      {0, 5, 5, 3, 4, 3, 3, 1, 1, 0, 0},   {2, 5, 5, 0, 4, 3, 3, 1, 1, 0, 0},
      {2, 5, 5, 3, 0, 3, 3, 1, 1, 0, 0},   {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
      {2, 9, 13, 3, 16, 4, 4, 1, 1, 0, 0}, {2, 7, 7, 17, 33, 3, 3, 1, 1, 1, 1},
      {3, 8, 8, 5, 7, 3, 3, 2, 2, 1, 1},   {1, 6, 20, 4, 6, 1, 1, 1, 1, 0, 0},
      {1, 3, 3, 2, 2, 2, 2, 1, 1, 3, 3},   {1, 9, 9, 2, 3, 2, 2, 3, 3, 0, 0}};
  Numbers shapes(77);
  while (list.size() < 40) {
    const Conv2dGeometry g = {1 + shapes.below(4),  1 + shapes.below(12), 1 + shapes.below(15),
                              1 + shapes.below(20), 1 + shapes.below(20), 1 + shapes.below(4),
                              1 + shapes.below(4),  1 + shapes.below(3),  1 + shapes.below(3),
                              shapes.below(3),      shapes.below(3)};
    if (g.height + 2 * g.pad_y >= g.kernel_height && g.width + 2 * g.pad_x >= g.kernel_width)
      list.push_back(g);
  }
  return list;
}

} // namespace

CASE("conv2d_forward is one chain per output: kernel row, kernel column, input channel") {
  unsigned seed = 0;
  for (const Conv2dGeometry& g : geometries()) {
    Problem p(g, ++seed);
    const bool with_bias = seed % 2, relu = seed % 3 == 0;

    RUN(conv2d_forward,
        (Conv2dForward{p.x.data(), p.w.data(), with_bias ? p.bias.data() : nullptr, p.y.data(), g, relu}),
        1 + seed % 3);

    Index at = 0;
    for (Index image = 0; image < g.n; image++)
      for (Index oy = 0; oy < g.out_height(); oy++)
        for (Index ox = 0; ox < g.out_width(); ox++)
          for (Index o = 0; o < g.out; o++, at++) {
            Terms sum;
            for_conv2d_terms(g, p.x.data(), p.w.data(), image, oy, ox, o,
                             [&](float a, float b) { sum(a, b); });
            float expected = sum.chain + 0.0f;
            if (with_bias)
              expected = expected + p.bias[o];
            if (relu)
              expected = expected > 0 ? expected : 0.0f;
            CHECK(test::same_bits(&p.y[at], &expected, 1));
            if (!with_bias && !relu)
              CHECK(sum.is_within_bound(p.y[at]));
          }
    CHECK(p.y.intact());
  }
}

CASE("conv2d_input_gradient is one chain per element: kernel row, kernel column, output channel") {
  unsigned seed = 0;
  for (const Conv2dGeometry& g : geometries()) {
    Problem p(g, ++seed);
    const Floats dy(p.outputs, p.numbers);

    RUN(conv2d_input_gradient, (Conv2dInputGradient{dy.data(), p.w.data(), p.dx.data(), g}), 1 + seed % 3);

    Index at = 0;
    for (Index image = 0; image < g.n; image++)
      for (Index iy = 0; iy < g.height; iy++)
        for (Index ix = 0; ix < g.width; ix++)
          for (Index c = 0; c < g.in; c++, at++) {
            Terms sum;
            for_conv2d_input_terms(g, dy.data(), p.w.data(), image, iy, ix, c,
                                   [&](float a, float b) { sum(a, b); });
            const float expected = sum.chain + 0.0f;
            CHECK(test::same_bits(&p.dx[at], &expected, 1));
            CHECK(sum.is_within_bound(p.dx[at]));
          }
    CHECK(p.dx.intact());
  }
}

CASE("conv2d_weight_gradient is one chain per element: image, output row, output column") {
  unsigned seed = 0;
  std::vector<Conv2dGeometry> list = geometries();
  list.push_back({9, 12, 12, 2, 3, 3, 3, 1, 1, 1, 1}); // several blocks of images
  for (const Conv2dGeometry& g : list) {
    Problem p(g, ++seed);
    const Floats dy(p.outputs, p.numbers);

    RUN(conv2d_weight_gradient, (Conv2dWeightGradient{dy.data(), p.x.data(), p.dw.data(), g}), 1 + seed % 3);

    Index at = 0;
    for (Index o = 0; o < g.out; o++)
      for (Index r = 0; r < g.kernel_height; r++)
        for (Index s = 0; s < g.kernel_width; s++)
          for (Index c = 0; c < g.in; c++, at++) {
            Terms sum;
            for_conv2d_weight_terms(g, dy.data(), p.x.data(), o, r, s, c,
                                    [&](float a, float b) { sum(a, b); });
            const float expected = sum.chain + 0.0f;
            CHECK(test::same_bits(&p.dw[at], &expected, 1));
            CHECK(sum.is_within_bound(p.dw[at]));
          }
    CHECK(p.dw.intact());
  }
}
