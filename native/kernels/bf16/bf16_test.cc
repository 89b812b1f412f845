// The bf16 kernels: emulated tiles on every machine, the processor's where it has them, and where it has not
// the instructions one by one (test/tile_trap.h). What ran is printed.
#include "dispatch/bf16.h"
#include "kernels/bf16/bf16_ref.h"
#include "kernels/linear_forward_ref.h"
#include "kernels/linear_input_gradient_ref.h"
#include "kernels/linear_weight_ref.h"
#include "test/kernel_test.h"
#include "test/tile_trap.h"

#if defined(MILLINER_TILE_TRAP)
namespace milliner::trapped {
extern const Bf16Table table;
}
#endif

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

constexpr float kRate = 0.0625f;

// The processor's tiles, or null. Says once what is tested and why nothing more.
const Bf16Table* amx_table() {
  static const Bf16Choice choice = [] {
    const Bf16Choice found = choose_bf16(nullptr, bf16_facts());
    if (found.table)
      std::printf("bf16: emulated tiles and the processor's are tested, bit against bit\n");
    else
      std::printf(
          "bf16: SKIPPED the processor's tiles: %s; tested are emulated tiles, and on x86-64 Linux the "
          "tile instructions as a signal handler executes them\n",
          found.reason.c_str());
    return found;
  }();
  return choice.table;
}

// Runs `body` with every table that this machine has.
template <class Body> void on_each_table(const Body& body) {
  body(emulated::table);
  if (const Bf16Table* amx = amx_table())
    body(*amx);
#if defined(MILLINER_TILE_TRAP)
  const test::TileTrap trap;
  body(trapped::table);
  CHECK(!test::TileTrap::configured());
#endif
}

// Sizes around a tile's side, its depth, a block of sums and a block of terms.
std::vector<Index> around_tiles(Numbers& numbers) {
  return {1, 15, 16, 17, 31, 32, 33, 64, 65, 255, 256, 257, 1 + numbers.below(300)};
}

struct Problem {
  Numbers numbers;
  Floats x, w, dy, bias, gate, post, pre, h, y, dx, dw;
  test::Guarded<std::uint32_t> locks;
  Index n, k, m;

  Problem(Index rows, Index inputs, Index units, unsigned seed)
      : numbers(seed), x(rows * inputs, numbers, 1), w(units * inputs, numbers, 3),
        dy(rows * units, numbers, 2), bias(units, numbers, 2), gate(units, numbers, 1),
        post(units, numbers, 1), pre(inputs, numbers, 3), h(rows * units, 5), y(rows * units, 7),
        dx(rows * inputs, 1), dw(units * inputs, 1), locks(units * lock_words(inputs)), n(rows), k(inputs),
        m(units) {
    for (Index i = 0; i < locks.size(); i++)
      locks[i] = numbers.chance(0.3) ? 0u : (numbers.chance(0.3) ? ~0u : numbers.word());
  }

  LinearForward forward() {
    LinearForward args{};
    args.x = x.data(), args.w = w.data(), args.y = y.data(), args.n = n, args.k = k, args.m = m;
    return args;
  }
  LinearForward forward_with_everything() {
    LinearForward args = forward();
    args.bias = bias.data(), args.gate = gate.data(), args.h = h.data();
    args.relu = args.drop = true, args.keep = 0.75, args.random = {1, 2, 3, 4};
    return args;
  }
  LinearInputGradient input_gradient() { return {dy.data(), w.data(), dx.data(), n, k, m}; }
  LinearWeightGradient weight_gradient() { return {dy.data(), x.data(), dw.data(), n, k, m}; }
  LinearWeightUpdate weight_update() {
    LinearWeightUpdate args{};
    args.dy = dy.data(), args.x = x.data(), args.w = w.data(), args.lr = kRate;
    args.n = n, args.k = k, args.m = m;
    return args;
  }

  float y_ref(Index row, Index unit) const {
    return bf16_product_ref(
        k, [&](Index t) { return w[unit * k + t]; }, [&](Index t) { return x[row * k + t]; });
  }
  float dx_ref(Index row, Index input) const {
    return bf16_product_ref(
        m, [&](Index t) { return dy[row * m + t]; }, [&](Index t) { return w[t * k + input]; });
  }
  float dw_ref(Index unit, Index input) const {
    return bf16_product_ref(
        n, [&](Index t) { return dy[t * m + unit]; }, [&](Index t) { return x[t * k + input]; });
  }
};

// The contract of the update, element by element.
std::vector<float> updated(const Problem& p, const LinearWeightUpdate& args) {
  std::vector<float> w(args.w, args.w + args.m * args.k);
  for (Index i = 0; i < args.m * args.k; i++) {
    const Index unit = i / args.k, input = i % args.k;
    if (is_locked_ref(args.locks, args.k, unit, input))
      continue;
    float g = p.dw_ref(unit, input);
    if (args.post) {
      const float least = args.pre && args.pre[input] <= args.post[unit] ? args.pre[input] : args.post[unit];
      g = g * (1.0f - least);
    }
    w[static_cast<std::size_t>(i)] = std::fma(-args.lr, g, args.w[i]);
  }
  return w;
}

bool same(const Floats& found, const std::vector<float>& expected) {
  return found.size() == static_cast<Index>(expected.size()) && found.intact() &&
         test::same_bits(found.data(), expected.data(), found.size());
}

// Every element of a matrix of `rows` x `columns`.
template <class Ref> std::vector<float> matrix(Index rows, Index columns, const Ref& ref) {
  std::vector<float> elements;
  for (Index i = 0; i < rows * columns; i++)
    elements.push_back(ref(i / columns, i % columns));
  return elements;
}

// Three sizes: each in turn runs over the neighbours of the tiles' while the others are small.
template <class Body> void for_shapes(const Body& body) {
  Numbers numbers(11);
  for (const Index size : around_tiles(numbers))
    for (int which = 0; which < 3; which++) {
      Index shape[3] = {1 + numbers.below(40), 1 + numbers.below(70), 1 + numbers.below(40)};
      shape[which] = size;
      body(shape[0], shape[1], shape[2]);
    }
  for (const Index size : {0, 5}) {
    body(size, 7, 3);
    body(5, size - size % 5, 3); // no inputs
    body(5, 7, size);
    body(5, 7, 0);
    body(0, 0, 0);
  }
}

} // namespace

CASE("bf16 linear_forward has the bits of the documented tile instruction, for every remainder") {
  for_shapes([](Index n, Index k, Index m) {
    Problem p(n, k, m, static_cast<unsigned>(n * 7 + k * 5 + m));
    const std::vector<float> expected =
        matrix(n, m, [&](Index row, Index unit) { return p.y_ref(row, unit); });

    on_each_table([&](const Bf16Table& table) {
      p.y.poison();
      test::run_parts(table.linear_forward, p.forward(), 1 + n % 3);
      CHECK(same(p.y, expected));
    });
  });
}

CASE("bf16 linear_forward stays within its bound of the exact sum, with the float32 epilogue") {
  Numbers shapes(1);
  for (int round = 0; round < 10; round++) {
    const Index n = 1 + shapes.below(70), k = 1 + shapes.below(600), m = 1 + shapes.below(90);
    Problem p(n, k, m, static_cast<unsigned>(round));
    const LinearForward args = p.forward_with_everything();

    on_each_table([&](const Bf16Table& table) {
      p.y.poison(), p.h.poison();
      test::run_parts(table.linear_forward, args, 2);

      for (Index i = 0; i < n * m; i++) {
        const LinearForwardRef ref = linear_forward_ref(args, i / m, i % m);
        const double gate = std::abs(static_cast<double>(p.gate[i % m]));
        CHECK(std::abs(static_cast<double>(p.h[i]) - ref.h) <= bf16_bound(k, ref.magnitude));
        CHECK(std::abs(static_cast<double>(p.y[i]) - ref.y) <= bf16_bound(k, ref.magnitude * gate));
      }
      CHECK(p.h.intact() && p.y.intact());
    });
  }
}

CASE(
    "bf16 linear_forward gives the same bits for any split and across blocks of the batch and of the terms") {
  const struct {
    Index n, k, m;
  } shapes[] = {{300, 300, 70}, {33, 20000, 40}};
  for (const auto& [n, k, m] : shapes) {
    Problem p(n, k, m, 5);
    const LinearForward args = p.forward_with_everything();
    test::run_parts(emulated::table.linear_forward, args, 1);
    const std::vector<float> y(p.y.data(), p.y.data() + n * m), h(p.h.data(), p.h.data() + n * m);
    const Index row = n - 1, unit = m - 1;
    LinearForward plain = p.forward();
    plain.x += row * k, plain.n = 1;
    test::run_parts(emulated::table.linear_forward, plain, 1);
    CHECK(p.y[unit] == p.y_ref(row, unit));

    on_each_table([&](const Bf16Table& table) {
      for (const Index parts : {1, 2, 3}) {
        p.y.poison(), p.h.poison();
        test::run_parts(table.linear_forward, args, parts);
        CHECK(same(p.y, y) && same(p.h, h));
      }
    });
  }
}

CASE("a batch's rows beside an infinite one, and its padding, keep their bits") {
  Problem p(3, 40, 5, 8);
  const std::vector<float> expected = matrix(3, 5, [&](Index row, Index unit) { return p.y_ref(row, unit); });
  p.x[40] = std::numeric_limits<float>::infinity();
  p.x[41] = std::numeric_limits<float>::quiet_NaN();

  on_each_table([&](const Bf16Table& table) {
    p.y.poison();
    test::run_parts(table.linear_forward, p.forward(), 1);
    CHECK(test::same_bits(&p.y[0], &expected[0], 5) && test::same_bits(&p.y[10], &expected[10], 5));
    for (Index unit = 0; unit < 5; unit++)
      CHECK(p.y[5 + unit] != p.y[5 + unit]);
  });
}

CASE("rounding to bf16 is to nearest even, from subnormals to the largest float") {
  const float smallest = std::ldexp(1.0f, -126), largest = std::numeric_limits<float>::max();
  const struct {
    float from, to;
  } numbers[] = {{1 + std::ldexp(1.0f, -8), 1},
                 {1 + 3 * std::ldexp(1.0f, -8), 1 + std::ldexp(1.0f, -6)},
                 {1 + std::ldexp(1.0f, -8) + std::ldexp(1.0f, -23), 1 + std::ldexp(1.0f, -7)},
                 {-1 - std::ldexp(1.0f, -9), -1},
                 {smallest, smallest},
                 {std::nextafter(smallest, 1.0f), smallest},
                 {std::ldexp(1.0f, -127), 0},
                 {std::ldexp(-1.0f, -149), 0},
                 {largest, std::numeric_limits<float>::infinity()},
                 {-largest, -std::numeric_limits<float>::infinity()},
                 {std::ldexp(255.0f, 120), std::ldexp(255.0f, 120)}};
  for (const auto& [from, to] : numbers) {
    Problem p(1, 1, 1, 3);
    p.x[0] = from, p.w[0] = 1;
    on_each_table([&, value = to](const Bf16Table& table) {
      test::run_parts(table.linear_forward, p.forward(), 1);
      CHECK(test::same_bits(&p.y[0], &value, 1));
    });
  }
}

CASE("bf16 linear_input_gradient has the bits of the documented tile instruction, for every remainder") {
  for_shapes([](Index n, Index k, Index m) {
    Problem p(n, k, m, static_cast<unsigned>(n * 7 + k * 5 + m));
    const std::vector<float> expected =
        matrix(n, k, [&](Index row, Index input) { return p.dx_ref(row, input); });

    on_each_table([&](const Bf16Table& table) {
      p.dx.poison();
      test::run_parts(table.linear_input_gradient, p.input_gradient(), 1 + n % 3);
      CHECK(same(p.dx, expected));
    });
  });
}

CASE("bf16 linear_weight_gradient has the bits of the documented tile instruction, for every remainder") {
  for_shapes([](Index n, Index k, Index m) {
    Problem p(n, k, m, static_cast<unsigned>(n * 7 + k * 5 + m));
    const std::vector<float> expected =
        matrix(m, k, [&](Index unit, Index input) { return p.dw_ref(unit, input); });

    on_each_table([&](const Bf16Table& table) {
      p.dw.poison();
      test::run_parts(table.linear_weight_gradient, p.weight_gradient(), 1 + n % 3);
      CHECK(same(p.dw, expected));
    });
  });
}

CASE("the bf16 gradients stay within their bound of the exact sum") {
  Numbers shapes(2);
  for (int round = 0; round < 10; round++) {
    const Index n = 1 + shapes.below(90), k = 1 + shapes.below(90), m = 1 + shapes.below(90);
    Problem p(n, k, m, static_cast<unsigned>(round));
    on_each_table([&](const Bf16Table& table) {
      test::run_parts(table.linear_input_gradient, p.input_gradient(), 2);
      test::run_parts(table.linear_weight_gradient, p.weight_gradient(), 2);
      double magnitude = 0;
      for (Index i = 0; i < n * k; i++) {
        const double ref = linear_input_gradient_ref(p.input_gradient(), i / k, i % k, magnitude);
        CHECK(std::abs(static_cast<double>(p.dx[i]) - ref) <= bf16_bound(m, magnitude));
      }
      for (Index i = 0; i < m * k; i++) {
        const double ref =
            linear_weight_gradient_ref(p.dy.data(), p.x.data(), n, k, m, i / k, i % k, magnitude);
        CHECK(std::abs(static_cast<double>(p.dw[i]) - ref) <= bf16_bound(n, magnitude));
      }
    });
  }
}

CASE("bf16 linear_weight_update follows its contract with and without conditioning and locks") {
  for (int round = 0; round < 40; round++) {
    Numbers shapes(static_cast<unsigned>(round));
    Problem p(shapes.below(70), shapes.below(150), shapes.below(60), static_cast<unsigned>(round));
    LinearWeightUpdate args = p.weight_update();
    if (round & 1)
      args.locks = p.locks.data();
    if (round & 2)
      args.post = p.post.data();
    if ((round & 6) == 6)
      args.pre = p.pre.data();
    const std::vector<float> before(args.w, args.w + p.m * p.k), expected = updated(p, args);

    on_each_table([&](const Bf16Table& table) {
      std::copy(before.begin(), before.end(), args.w);
      test::run_parts(table.linear_weight_update, args, 1 + round % 3);
      CHECK(same(p.w, expected));
    });
  }
}

CASE("a bf16 step of momentum or adam in the tile has the bits of a step from the stored bf16 gradient") {
  for (int round = 0; round < 32; round++) {
    Numbers shapes(static_cast<unsigned>(round));
    const Index n = shapes.below(40), k = 1 + shapes.below(90), m = 1 + shapes.below(70);
    Problem p(n, k, m, static_cast<unsigned>(round));
    const std::uint32_t* locks = round & 1 ? p.locks.data() : nullptr;
    Floats first(m * k, p.numbers, 2), second(m * k, p.numbers, 3);
    for (Index i = 0; i < m * k; i++) // what is locked is not read either
      first[i] = is_locked_ref(locks, k, i / k, i % k) ? std::numeric_limits<float>::quiet_NaN() : first[i],
      second[i] = std::abs(second[i]);
    const std::vector<float> w(p.w.data(), p.w.data() + m * k), a(first.data(), first.data() + m * k),
        b(second.data(), second.data() + m * k);
    const AdamFactors adam = {1e-3f, round & 4 ? 0.99f : 1.0f, 0.01f, 0.1f, 0.999f, 1e-3f, 2, 1e-8f};
    const MomentumFactors momentum = {0.1f, 0.9f, round & 4 ? 0.01f : 0.0f, (round & 8) != 0};
    float* velocity = round & 16 ? nullptr : first.data();
    const auto reset = [&] {
      std::copy(w.begin(), w.end(), p.w.data());
      std::copy(a.begin(), a.end(), first.data());
      std::copy(b.begin(), b.end(), second.data());
    };
    test::run_parts(emulated::table.linear_weight_gradient, p.weight_gradient(), 1);
    if (round & 2)
      test::run_parts(scalar::table.adam,
                      Adam{p.w.data(), p.dw.data(), first.data(), second.data(), adam, locks, m, k}, 1);
    else
      test::run_parts(scalar::table.momentum,
                      Momentum{p.w.data(), p.dw.data(), velocity, momentum, locks, m, k}, 1);
    const std::vector<float> w2(p.w.data(), p.w.data() + m * k), a2(first.data(), first.data() + m * k),
        b2(second.data(), second.data() + m * k);

    on_each_table([&](const Bf16Table& table) {
      reset();
      if (round & 2)
        test::run_parts(table.linear_weight_adam,
                        LinearWeightAdam{p.dy.data(), p.x.data(), p.w.data(), first.data(), second.data(),
                                         adam, nullptr, nullptr, locks, n, k, m},
                        1 + round % 3);
      else
        test::run_parts(table.linear_weight_momentum,
                        LinearWeightMomentum{p.dy.data(), p.x.data(), p.w.data(), velocity, momentum, nullptr,
                                             nullptr, locks, n, k, m},
                        1 + round % 3);
      CHECK(same(p.w, w2) && same(first, a2) && same(second, b2));
    });
  }
}

CASE("the bf16 gradients and the update give the same bits for any split and across blocks") {
  const Index n = 300, k = 900, m = 70; // two groups of inputs, two blocks of the batch
  Problem p(n, k, m, 4);
  LinearWeightUpdate args = p.weight_update();
  args.locks = p.locks.data();
  const std::vector<float> before(args.w, args.w + m * k);
  test::run_parts(emulated::table.linear_input_gradient, p.input_gradient(), 1);
  test::run_parts(emulated::table.linear_weight_gradient, p.weight_gradient(), 1);
  const std::vector<float> dx(p.dx.data(), p.dx.data() + n * k), dw(p.dw.data(), p.dw.data() + m * k);
  CHECK(dx.back() == p.dx_ref(n - 1, k - 1) && dw.back() == p.dw_ref(m - 1, k - 1));
  test::run_parts(emulated::table.linear_weight_update, args, 1);
  const std::vector<float> w(args.w, args.w + m * k);

  on_each_table([&](const Bf16Table& table) {
    for (const Index parts : {1, 2, 3}) {
      std::copy(before.begin(), before.end(), args.w);
      p.dx.poison(), p.dw.poison();
      test::run_parts(table.linear_input_gradient, p.input_gradient(), parts);
      test::run_parts(table.linear_weight_gradient, p.weight_gradient(), parts);
      test::run_parts(table.linear_weight_update, args, parts);
      CHECK(same(p.dx, dx) && same(p.dw, dw) && same(p.w, w));
    }
  });
}

CASE("the bf16 update of an infinite gradient leaves locked elements as they were") {
  Problem p(3, 40, 13, 6);
  LinearWeightUpdate args = p.weight_update();
  args.locks = p.locks.data();
  p.dy[0] = std::numeric_limits<float>::infinity();
  p.x[1] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> before(args.w, args.w + 13 * 40);

  on_each_table([&](const Bf16Table& table) {
    test::run_parts(table.linear_weight_update, args, 1);
    for (Index i = 0; i < 13 * 40; i++)
      if (is_locked_ref(args.locks, 40, i / 40, i % 40))
        CHECK(std::memcmp(&p.w[i], &before[static_cast<std::size_t>(i)], 4) == 0);
  });
}

#if defined(MILLINER_TILE_TRAP)
CASE("the tile instructions run here: on the processor, or one by one in the trap") {
  Problem p(40, 70, 40, 2);
  const long before = test::TileTrap::executed();
  const test::TileTrap trap;

  test::run_parts(trapped::table.linear_forward, p.forward(), 1);

  // 2 x 2 blocks of sums, 9 tiles in all, over 3 steps: clear and store each, load and multiply.
  CHECK(amx_table() || test::TileTrap::executed() - before >= 9 * 2 + 9 * 3);
  CHECK(test::same_bits(&p.y[0], std::vector<float>{p.y_ref(0, 0)}.data(), 1));
}
#endif
