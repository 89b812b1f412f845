#include "kernels/activation.h"
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

// Zeros, of both signs, as ReLU, dropout and pooling leave them: such a gradient is computed by its terms.
void thin(Floats& dy, Index count, Numbers& numbers) {
  for (Index i = 0; i < count; i++)
    if (numbers.chance(0.8))
      dy[i] = numbers.chance(0.1) ? -0.0f : 0.0f;
}

std::vector<Conv2dGeometry> geometries() {
  std::vector<Conv2dGeometry> list = {
      {0, 5, 5, 3, 4, 3, 3, 1, 1, 0, 0},
      {2, 5, 5, 0, 4, 3, 3, 1, 1, 0, 0},
      {2, 5, 5, 3, 0, 3, 3, 1, 1, 0, 0},
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
      {2, 9, 13, 3, 16, 4, 4, 1, 1, 0, 0},
      {2, 7, 7, 17, 33, 3, 3, 1, 1, 1, 1},
      {3, 8, 8, 5, 7, 3, 3, 2, 2, 1, 1},
      {1, 6, 20, 4, 6, 1, 1, 1, 1, 0, 0},
      {1, 3, 3, 2, 2, 2, 2, 1, 1, 3, 3},
      {1, 9, 9, 2, 3, 2, 2, 3, 3, 0, 0},
      // Tiles of one pixel in several images; a chain of several pieces; several groups of channels; no pixel
      // of some kernel positions; several bands; a column of the kernel that ends in the middle of a panel.
      {13, 6, 6, 16, 20, 3, 3, 1, 1, 1, 1},
      {7, 3, 4, 40, 6, 3, 3, 1, 1, 1, 1},
      {6, 2, 2, 3, 200, 3, 3, 1, 1, 1, 1},
      {6, 3, 3, 140, 5, 2, 2, 1, 1, 0, 0},
      {14, 1, 1, 33, 17, 3, 3, 1, 1, 1, 1},
      {14, 5, 2, 17, 9, 3, 3, 2, 2, 1, 1},
      {1, 70, 20, 34, 3, 3, 3, 1, 1, 1, 1},
      {7, 9, 30, 33, 3, 3, 3, 2, 1, 1, 1},
      {5, 40, 9, 5, 4, 3, 3, 1, 1, 1, 1},
      {13, 7, 7, 6, 17, 1, 1, 2, 2, 0, 0}};
  Numbers shapes(77);
  while (list.size() < 60) {
    const Conv2dGeometry g = {1 + shapes.below(shapes.chance(0.3) ? 14 : 4),
                              1 + shapes.below(12),
                              1 + shapes.below(15),
                              1 + shapes.below(20),
                              1 + shapes.below(20),
                              1 + shapes.below(4),
                              1 + shapes.below(4),
                              1 + shapes.below(3),
                              1 + shapes.below(3),
                              shapes.below(3),
                              shapes.below(3)};
    if (g.height + 2 * g.pad_y >= g.kernel_height && g.width + 2 * g.pad_x >= g.kernel_width)
      list.push_back(g);
  }
  return list;
}

std::vector<Conv2dGeometry> twice(const std::vector<Conv2dGeometry>& list) {
  std::vector<Conv2dGeometry> both;
  for (const Conv2dGeometry& g : list)
    both.insert(both.end(), {g, g});
  return both;
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

CASE("conv2d_forward does ReLU, dropout by pixel and channel of the full layer, then the gate") {
  unsigned seed = 0;
  for (const Conv2dGeometry& g : geometries()) {
    Problem p(g, ++seed);
    const Random random = {p.numbers.word(), p.numbers.word(), 3, seed};
    const double keep = seed % 4 == 0 ? 1.0 : 0.6;
    Floats gate(g.out, p.numbers), h(p.outputs, 3), dropped(p.outputs, 1);
    test::Guarded<std::uint32_t> numbers(g.out, 1);
    for (Index o = 0; o < g.out; o++) {
      numbers[o] =
          static_cast<std::uint32_t>(o == 0 ? p.numbers.below(9) : numbers[o - 1] + 1 + p.numbers.below(9));
      if (p.numbers.chance(0.3))
        gate[o] = 0;
    }
    Conv2dForward args = {p.x.data(), p.w.data(), p.bias.data(), p.y.data(), g, true};
    RUN(conv2d_forward, args, 1);
    const std::vector<float> plain(p.y.data(), p.y.data() + p.outputs);
    p.y.poison();
    args.gate = seed % 5 == 0 ? nullptr : gate.data();
    args.h = args.gate ? h.data() : nullptr;
    args.drop = seed % 3 > 0;
    args.keep = keep;
    args.random = random;
    args.numbers = seed % 2 ? numbers.data() : nullptr;

    RUN(conv2d_forward, args, 1 + seed % 3);

    const Index pixels = g.out == 0 ? 0 : p.outputs / g.out;
    if (args.drop)
      RUN(dropout, (Dropout{plain.data(), dropped.data(), pixels, g.out, keep, random, args.numbers}), 1);
    for (Index i = 0; i < p.outputs; i++) {
      const float v = args.drop ? dropped[i] : plain[static_cast<std::size_t>(i)];
      const float open = gate[i % g.out];
      const float expected = !args.gate ? v : open == 0 ? 0.0f : v * open;
      CHECK(test::same_bits(&p.y[i], &expected, 1));
      if (args.h)
        CHECK(test::same_bits(&h[i], &v, 1));
    }
    CHECK(p.y.intact() && h.intact());
  }
}

CASE("conv2d_forward pools what ReLU and dropout leave, then opens the gate") {
  unsigned seed = 0;
  for (const Conv2dGeometry& g : geometries()) {
    Problem p(g, ++seed);
    if (g.out_height() < 1 || g.out_width() < 1)
      continue;
    Numbers& numbers = p.numbers;
    const MaxPool2dGeometry pool = {g.n,
                                    g.out_height(),
                                    g.out_width(),
                                    g.out,
                                    1 + numbers.below(smaller(g.out_height(), 3)),
                                    1 + numbers.below(smaller(g.out_width(), 3)),
                                    1 + numbers.below(3),
                                    1 + numbers.below(3)};
    const Index pooled = g.n * pool.out_height() * pool.out_width() * g.out;
    Floats gate(g.out, numbers), y(pooled, 1), h(pooled, 2), expected(pooled), gated(pooled);
    test::Guarded<std::int32_t> argmax(pooled, 1), winners(pooled);
    for (Index o = 0; o < g.out; o++)
      if (numbers.chance(0.3))
        gate[o] = 0;
    Conv2dForward args = {p.x.data(), p.w.data(), seed % 4 ? p.bias.data() : nullptr,
                          p.y.data(), g,          seed % 3 > 0};
    args.drop = args.relu && seed % 2;
    args.keep = 0.7;
    args.random = {numbers.word(), numbers.word(), 3, seed};
    RUN(conv2d_forward, args, 1);
    RUN(max_pool2d_forward, (MaxPool2dForward{p.y.data(), expected.data(), winners.data(), pool}), 1);
    args.y = y.data();
    args.pools = true;
    args.pool = pool;
    args.argmax = seed % 5 ? argmax.data() : nullptr;
    args.gate = seed % 7 ? gate.data() : nullptr;
    args.h = args.gate ? h.data() : nullptr;

    RUN(conv2d_forward, args, 1 + seed % 3);

    if (args.gate)
      RUN(gate_apply,
          (GateApply{expected.data(), gate.data(), gated.data(), pooled / larger(g.out, 1), g.out}), 1);
    CHECK(test::same_bits(y.data(), (args.gate ? gated : expected).data(), pooled));
    CHECK(!args.h || test::same_bits(h.data(), expected.data(), pooled));
    for (Index i = 0; i < pooled && args.argmax; i++)
      CHECK(argmax[i] == winners[i]);
    CHECK(y.intact() && h.intact() && argmax.intact());
  }
}

CASE("conv2d_input_gradient is one chain per element: kernel row, kernel column, output channel") {
  unsigned seed = 0;
  for (const Conv2dGeometry& g : twice(geometries())) {
    Problem p(g, ++seed);
    Floats dy(p.outputs, p.numbers);
    if (seed % 2)
      thin(dy, p.outputs, p.numbers);

    RUN(conv2d_input_gradient, (Conv2dInputGradient{dy.data(), p.w.data(), p.dx.data(), g}),
        1 + seed / 2 % 3);

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
  for (const Conv2dGeometry& g : twice(list)) {
    Problem p(g, ++seed);
    Floats dy(p.outputs, p.numbers);
    if (seed % 2)
      thin(dy, p.outputs, p.numbers);

    RUN(conv2d_weight_gradient, (Conv2dWeightGradient{dy.data(), p.x.data(), p.dw.data(), g}),
        1 + seed / 2 % 3);

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

CASE("what is not finite is in every convolution's chain that has it, where zeros are left out too") {
  unsigned seed = 0;
  std::vector<Conv2dGeometry> list = geometries();
  list.insert(list.end(), {{9, 12, 12, 2, 3, 3, 3, 1, 1, 0, 0}, {4, 9, 9, 40, 30, 3, 3, 1, 1, 0, 0}});
  for (const Conv2dGeometry& g : list) {
    Problem p(g, ++seed);
    Floats dy(p.outputs, p.numbers);
    thin(dy, p.outputs, p.numbers);
    for (Floats* factor : {&p.x, &p.w, &dy})
      if (p.numbers.chance(0.6) && factor->size() > 0)
        test::put_non_finite(*factor, p.numbers, 3.0 / static_cast<double>(factor->size()));
    // Where it meets padding, or in the input gradient the border of dy, 0 * NaN may be there or not.
    const bool pads = g.pad_y + g.pad_x > 0;
    const auto agrees = [](float got, float chain, bool border) {
      const float expected = chain + 0.0f;
      return (border && got != got) || test::same_bits(&got, &expected, 1);
    };

    RUN(conv2d_forward, (Conv2dForward{p.x.data(), p.w.data(), nullptr, p.y.data(), g, false}), 2);
    RUN(conv2d_input_gradient, (Conv2dInputGradient{dy.data(), p.w.data(), p.dx.data(), g}), 2);
    RUN(conv2d_weight_gradient, (Conv2dWeightGradient{dy.data(), p.x.data(), p.dw.data(), g}), 2);

    for (Index i = 0; i < p.outputs; i++) {
      const Index o = i % g.out, pixel = i / g.out, ox = pixel % g.out_width(),
                  oy = pixel / g.out_width() % g.out_height(), image = pixel / g.out_width() / g.out_height();
      Terms sum;
      for_conv2d_terms(g, p.x.data(), p.w.data(), image, oy, ox, o, [&](float a, float b) { sum(a, b); });
      CHECK(agrees(p.y[i], sum.chain, pads));
    }
    for (Index i = 0; i < p.inputs; i++) {
      const Index c = i % g.in, pixel = i / g.in, ix = pixel % g.width, iy = pixel / g.width % g.height;
      Terms sum;
      for_conv2d_input_terms(g, dy.data(), p.w.data(), pixel / g.width / g.height, iy, ix, c,
                             [&](float a, float b) { sum(a, b); });
      CHECK(agrees(p.dx[i], sum.chain, true));
    }
    for (Index i = 0; i < p.weights; i++) {
      const Index c = i % g.in, position = i / g.in;
      Terms sum;
      for_conv2d_weight_terms(g, dy.data(), p.x.data(), i / g.chain(),
                              position / g.kernel_width % g.kernel_height, position % g.kernel_width, c,
                              [&](float a, float b) { sum(a, b); });
      CHECK(agrees(p.dw[i], sum.chain, pads));
    }
  }
}

CASE("conv2d_forward's ReLU lets a NaN through, with gate, dropout and pooling") {
  unsigned seed = 0;
  for (const bool pools : {false, true})
    for (const bool gated : {false, true})
      for (const Conv2dGeometry& g : {Conv2dGeometry{2, 8, 8, 3, 20, 3, 3, 1, 1, 0, 0},
                                      Conv2dGeometry{13, 6, 6, 16, 33, 3, 3, 1, 1, 1, 1}}) {
        Problem p(g, ++seed);
        Floats gate(g.out, p.numbers), h(p.outputs, 2);
        p.x[g.in * (g.width + 1)] = std::numeric_limits<float>::quiet_NaN();
        Conv2dForward args = {p.x.data(), p.w.data(), p.bias.data(), p.y.data(), g, true};
        args.pools = pools;
        args.pool = {g.n, g.out_height(), g.out_width(), g.out, 2, 2, 2, 2};
        for (Index o = 0; o < g.out; o++)
          gate[o] = 1;
        args.gate = gated ? gate.data() : nullptr;
        args.h = gated ? h.data() : nullptr;

        RUN(conv2d_forward, args, 2);

        for (Index o = 0; o < g.out; o++)
          CHECK(p.y[o] != p.y[o]); // the first pixel sees it
      }
}

CASE("conv2d_weight_update steps along the gradient's bits and does not write a locked element") {
  unsigned seed = 0;
  std::vector<Conv2dGeometry> list = geometries();
  list.push_back({9, 12, 12, 2, 3, 3, 3, 1, 1, 1, 1}); // several blocks
  for (const Conv2dGeometry& g : twice(list)) {
    Problem p(g, ++seed);
    Floats dy(p.outputs, p.numbers);
    if (seed % 2)
      thin(dy, p.outputs, p.numbers);
    const std::vector<float> before(p.w.data(), p.w.data() + p.weights);
    const Index words = ceil_div(g.chain(), 32);
    std::vector<std::uint32_t> locks(static_cast<std::size_t>(g.out * words));
    const double share = seed / 2 % 5 == 0 ? 1.0 : 0.6; // all tiles locked, or many of them in part
    for (Index i = 0; i < g.out * words; i++)
      for (Index bit = 0; bit < 32; bit++)
        locks[static_cast<std::size_t>(i)] |= p.numbers.chance(share) || i % 3 == 0 ? 1u << bit : 0u;
    const bool locked = seed / 2 % 3 > 0;
    const float lr = 0.37f;
    RUN(conv2d_weight_gradient, (Conv2dWeightGradient{dy.data(), p.x.data(), p.dw.data(), g}), 1);

    RUN(conv2d_weight_update,
        (Conv2dWeightUpdate{dy.data(), p.x.data(), p.w.data(), lr, locked ? locks.data() : nullptr, g}),
        1 + seed / 2 % 3);

    for (Index o = 0; o < g.out; o++)
      for (Index j = 0; j < g.chain(); j++) {
        const Index at = o * g.chain() + j;
        const bool keeps = locked && (locks[static_cast<std::size_t>(o * words + j / 32)] >> (j % 32) & 1);
        const float old = before[static_cast<std::size_t>(at)], stepped = std::fma(-lr, p.dw[at], old);
        CHECK(test::same_bits(&p.w[at], keeps ? &old : &stepped, 1));
      }
    CHECK(p.w.intact());
  }
}
