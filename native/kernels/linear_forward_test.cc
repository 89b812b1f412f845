#include "kernels/linear_forward_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

struct Problem {
  Floats x, w, bias, gate, h, y;
  LinearForward args{};

  Problem(Index n, Index k, Index m, unsigned seed) : Problem(n, k, m, Numbers(seed)) {}
  Problem(Index n, Index k, Index m, Numbers numbers)
      : x(n * k, numbers, 1), w(m * k, numbers, 3), bias(m, numbers, 2), gate(m, numbers, 1), h(n * m, 5),
        y(n * m, 7) {
    args.x = x.data(), args.w = w.data(), args.y = y.data();
    args.n = n, args.k = k, args.m = m;
  }
  void with_everything() {
    args.bias = bias.data(), args.gate = gate.data(), args.h = h.data();
    args.relu = args.drop = true, args.keep = 0.75, args.random = {1, 2, 3, 4};
  }
};

// The contract of the bits, word for word.
float chain(const LinearForward& args, Index row, Index unit) {
  float v = 0;
  for (Index k = 0; k < args.k; k++)
    v = std::fma(args.x[row * args.k + k], args.w[unit * args.k + k], v);
  v = v + 0.0f;
  return args.bias ? v + args.bias[unit] : v;
}

void check_chains(Problem& p, Index parts) {
  RUN(linear_forward, p.args, parts);

  std::vector<float> expected;
  for (Index i = 0; i < p.args.n * p.args.m; i++)
    expected.push_back(chain(p.args, i / p.args.m, i % p.args.m));
  CHECK(test::same_bits(p.y.data(), expected.data(), p.y.size()));
  CHECK(p.y.intact());
}

} // namespace

CASE("linear_forward is one chain of fma per output, in the stated order, for every remainder") {
  for (const Index n : test::sizes_up_to(49))
    for (const Index m : {0, 1, 5, 6, 7, 11, 12, 13, 49})
      for (const Index k : {0, 1, 17, 257}) {
        Problem p(n, k, m, static_cast<unsigned>(n * 1000 + m * 10 + k));
        if (n % 2)
          p.args.bias = p.bias.data();

        check_chains(p, 1 + n % 3);
      }
}

CASE("linear_forward is that chain for a few rows, whose lanes are units, and for rows of w in one cache "
     "set") {
  for (const Index n : {1, 2, 3, 4, 5, 8, 9})
    for (const Index m : {1, 7, 8, 15, 16, 17, 31, 32, 33, 100})
      for (const Index k : {3, 4, 31, 512}) {
        Problem p(n, k, m, static_cast<unsigned>(n * 1000 + m * 10 + k));

        check_chains(p, 1 + m % 4);
      }
}

CASE("linear_forward is that chain where both factors are packed, for blocks of chain, rows and units") {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 256, 70}, {65, 1024, 33}, {192, 513, 70}, {265, 30, 35}, {300, 17, 1100}};
  for (const auto& [n, k, m] : shapes)
    for (const Index parts : {1, 3}) {
      Problem p(n, k, m, static_cast<unsigned>(n));
      p.args.bias = p.bias.data();

      check_chains(p, parts);
    }
}

CASE("linear_forward stays within its error bound, epilogue included") {
  Numbers shapes(1);
  for (int round = 0; round < 30; round++) {
    const Index n = 1 + shapes.below(70), k = 1 + shapes.below(600), m = 1 + shapes.below(120);
    Problem p(n, k, m, static_cast<unsigned>(round));
    p.with_everything();

    RUN(linear_forward, p.args, 2);

    for (Index i = 0; i < n * m; i++) {
      const LinearForwardRef ref = linear_forward_ref(p.args, i / m, i % m);
      const double gate = std::abs(static_cast<double>(p.gate[i % m]));
      CHECK(std::abs(static_cast<double>(p.h[i]) - ref.h) <= test::chain_bound(k + 2, ref.magnitude));
      CHECK(std::abs(static_cast<double>(p.y[i]) - ref.y) <= test::chain_bound(k + 3, ref.magnitude * gate));
    }
    CHECK(p.h.intact() && p.y.intact());
  }
}

CASE("inputs that are zero in many rows or in all of them change no bit, with either sign") {
  Numbers numbers(6);
  for (const Index n : {5, 16, 17, 64, 70})
    for (const Index k : {1, 31, 257, 700}) {
      const Index m = 29;
      Problem p(n, k, m, static_cast<unsigned>(n + k));
      for (Index j = 0; j < k; j++) {
        const bool everywhere = numbers.chance(0.6);
        for (Index i = 0; i < n; i++)
          if (everywhere || (i / 16 % 2 == 0 && numbers.chance(0.7)))
            p.x[i * k + j] = numbers.chance(0.5) ? 0.0f : -0.0f;
      }

      check_chains(p, 2);
    }
}

CASE("linear_forward is that chain where most inputs are zero, each row in its own places") {
  const struct {
    Index n, k, m;
  } shapes[] = {{32, 1, 50}, {33, 64, 96}, {64, 65, 97}, {130, 200, 205}, {257, 31, 49}, {64, 512, 300}};
  for (const auto& [n, k, m] : shapes)
    for (const double zeros : {0.55, 0.75, 1.0}) {
      Numbers numbers(7);
      Problem p(n, k, m, numbers);
      test::put_zeros(p.x, numbers, zeros);
      p.args.bias = p.bias.data();

      check_chains(p, 1 + n % 3);
    }
}

CASE("what is not finite in x, w or bias is in every chain that has it, where zeros are left out too") {
  const struct {
    Index n, k, m;
  } shapes[] = {{3, 17, 20}, {40, 70, 60}, {130, 200, 205}, {200, 64, 33}};
  for (const auto& [n, k, m] : shapes)
    for (const double zeros : {0.0, 0.75})
      for (const double bad : {0.0005, 0.02}) {
        Numbers numbers(static_cast<unsigned>(n));
        Problem p(n, k, m, numbers);
        test::put_zeros(p.x, numbers, zeros);
        test::put_non_finite(p.x, numbers, bad / 10);
        test::put_non_finite(p.w, numbers, bad);
        test::put_non_finite(p.bias, numbers, bad);
        p.args.bias = p.bias.data();

        check_chains(p, 1 + n % 3);
      }
}

CASE("a NaN comes out behind ReLU, also where x has the zero that the weight's infinity meets") {
  Numbers numbers(12);
  Problem p(40, 70, 60, numbers);
  test::put_zeros(p.x, numbers, 0.75);
  p.x[2 * 70 + 3] = 0;
  p.w[5 * 70 + 3] = std::numeric_limits<float>::infinity();
  p.x[7 * 70] = std::numeric_limits<float>::quiet_NaN();
  p.args.relu = true;

  RUN(linear_forward, p.args, 2);

  CHECK(p.y[2 * 60 + 5] != p.y[2 * 60 + 5]);
  for (Index unit = 0; unit < 60; unit++)
    CHECK(p.y[7 * 60 + unit] != p.y[7 * 60 + unit]);
}

CASE("linear_forward gives the same bits on every set, for any split and across blocks") {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 784, 200}, {130, 300, 61},  {300, 513, 25},
                {64, 512, 150}, {3, 1000, 4093}, {5, 600, 4093}};
  for (const auto& [n, k, m] : shapes) {
    Problem p(n, k, m, 5);
    p.with_everything();
    Numbers numbers(11);
    test::put_zeros(p.x, numbers, n == 130 ? 0.75 : 0.0);
    RUN_SCALAR(linear_forward, p.args);
    const std::vector<float> y(p.y.data(), p.y.data() + n * m), h(p.h.data(), p.h.data() + n * m);

    for (const Index parts : {1, 2, 3, 7}) {
      p.y.poison();
      p.h.poison();
      RUN(linear_forward, p.args, parts);
      CHECK(test::same_bits(p.y.data(), y.data(), n * m));
      CHECK(test::same_bits(p.h.data(), h.data(), n * m));
    }
  }
}

CASE("a gathered layer of the active units has the bits of the masked one, dropout and gates included") {
  Numbers numbers(8);
  const Index n = 19, k = 300, m = 77;
  Problem masked(n, k, m, 9);
  std::vector<Index> inputs, outputs;
  for (Index j = 0; j < k; j++)
    if (numbers.chance(0.4))
      inputs.push_back(j);
    else
      for (Index i = 0; i < n; i++)
        masked.x[i * k + j] = 0;
  for (Index j = 0; j < m; j++)
    if (numbers.chance(0.5))
      outputs.push_back(j);
  const auto compact_k = static_cast<Index>(inputs.size()), compact_m = static_cast<Index>(outputs.size());
  Problem compact(n, compact_k, compact_m, 10);
  std::vector<std::uint32_t> unit_numbers(outputs.begin(), outputs.end());
  masked.with_everything();
  compact.with_everything();
  compact.args.random = masked.args.random;
  compact.args.numbers = unit_numbers.data();
  for (Index i = 0; i < compact_m; i++) {
    compact.bias[i] = masked.bias[outputs[static_cast<std::size_t>(i)]];
    compact.gate[i] = masked.gate[outputs[static_cast<std::size_t>(i)]];
  }
  for (Index j = 0; j < compact_k; j++) {
    for (Index i = 0; i < n; i++)
      compact.x[i * compact_k + j] = masked.x[i * k + inputs[static_cast<std::size_t>(j)]];
    for (Index i = 0; i < compact_m; i++)
      compact.w[i * compact_k + j] =
          masked.w[outputs[static_cast<std::size_t>(i)] * k + inputs[static_cast<std::size_t>(j)]];
  }

  RUN(linear_forward, masked.args, 1);
  RUN(linear_forward, compact.args, 1);

  for (Index i = 0; i < n; i++)
    for (Index j = 0; j < compact_m; j++)
      CHECK(test::same_bits(&compact.y[i * compact_m + j],
                            &masked.y[i * m + outputs[static_cast<std::size_t>(j)]], 1));
}

CASE("a closed gate selects zero where multiplying would give NaN") {
  Problem p(2, 3, 4, 3);
  p.args.gate = p.gate.data();
  p.x[0] = std::numeric_limits<float>::infinity();
  for (Index i = 0; i < 4; i++)
    p.gate[i] = i == 1 ? 0.0f : (i == 2 ? -0.0f : 1.0f);

  RUN(linear_forward, p.args, 1);

  for (Index row = 0; row < 2; row++)
    for (const Index unit : {1, 2})
      CHECK(p.y[row * 4 + unit] == 0 && !std::signbit(p.y[row * 4 + unit]));
}

CASE("a chain that is flushed to -0 ends in +0") {
  Problem p(1, 1, 1, 3);
  p.x[0] = std::ldexp(1.0f, -75);
  p.w[0] = -std::ldexp(1.0f, -75);

  RUN(linear_forward, p.args, 1);

  CHECK(p.y[0] == 0 && !std::signbit(p.y[0]));
}
