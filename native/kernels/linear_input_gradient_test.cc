#include "kernels/linear_input_gradient_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

struct Problem {
  Numbers numbers;
  Floats dy, w, dx;
  LinearInputGradient args;

  Problem(Index n, Index k, Index m, unsigned seed)
      : numbers(seed), dy(n * m, numbers, 1), w(m * k, numbers, 3), dx(n * k, 5),
        args{dy.data(), w.data(), dx.data(), n, k, m} {}
};

float chain(const LinearInputGradient& args, Index row, Index k) {
  float v = 0;
  for (Index unit = 0; unit < args.m; unit++)
    v = std::fma(args.dy[row * args.m + unit], args.w[unit * args.k + k], v);
  return v + 0.0f;
}

void check_chains(Problem& p, Index parts) {
  RUN(linear_input_gradient, p.args, parts);

  std::vector<float> expected;
  for (Index i = 0; i < p.args.n * p.args.k; i++)
    expected.push_back(chain(p.args, i / p.args.k, i % p.args.k));
  CHECK(test::same_bits(p.dx.data(), expected.data(), p.dx.size()));
  CHECK(p.dx.intact());
}

} // namespace

CASE("linear_input_gradient is one chain of fma per element, outputs ascending, for every remainder") {
  for (const Index n : {0, 1, 4, 5, 6, 7, 11, 12, 13})
    for (const Index k : test::sizes_up_to(65))
      for (const Index m : {0, 1, 33, 353}) {
        Problem p(n, k, m, static_cast<unsigned>(n * 1000 + k * 10 + m));

        check_chains(p, 1 + n % 3);
      }
}

CASE("linear_input_gradient is that chain where both factors are packed, for blocks of chain, rows and "
     "columns") {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 256, 70}, {65, 512, 600}, {192, 70, 513}, {265, 35, 30}, {300, 1100, 17}};
  for (const auto& [n, k, m] : shapes)
    for (const Index parts : {1, 3}) {
      Problem p(n, k, m, static_cast<unsigned>(n));

      check_chains(p, parts);
    }
}

CASE("linear_input_gradient is that chain where most of dy is zero, each row in its own places") {
  const struct {
    Index n, k, m;
  } shapes[] = {{32, 50, 1}, {33, 96, 64}, {64, 97, 65}, {130, 205, 200}, {257, 49, 31}, {64, 300, 512}};
  for (const auto& [n, k, m] : shapes)
    for (const double zeros : {0.55, 0.75, 1.0}) {
      Problem p(n, k, m, static_cast<unsigned>(n));
      test::put_zeros(p.dy, p.numbers, zeros);

      check_chains(p, 1 + n % 3);
    }
}

CASE("what is not finite in dy or w is in every chain that has it, where zeros are left out too") {
  const struct {
    Index n, k, m;
  } shapes[] = {{3, 20, 17}, {40, 60, 70}, {130, 205, 200}, {200, 33, 64}};
  for (const auto& [n, k, m] : shapes)
    for (const double zeros : {0.0, 0.75})
      for (const double bad : {0.0005, 0.02}) {
        Problem p(n, k, m, static_cast<unsigned>(n));
        test::put_zeros(p.dy, p.numbers, zeros);
        test::put_non_finite(p.dy, p.numbers, bad / 10);
        test::put_non_finite(p.w, p.numbers, bad);

        check_chains(p, 1 + n % 3);
      }
}

CASE("linear_input_gradient stays within its error bound") {
  Numbers shapes(2);
  for (int round = 0; round < 30; round++) {
    const Index n = 1 + shapes.below(70), k = 1 + shapes.below(200), m = 1 + shapes.below(800);
    Problem p(n, k, m, static_cast<unsigned>(round));

    RUN(linear_input_gradient, p.args, 2);

    for (Index i = 0; i < n * k; i++) {
      double magnitude = 0;
      const double ref = linear_input_gradient_ref(p.args, i / k, i % k, magnitude);
      CHECK(std::abs(static_cast<double>(p.dx[i]) - ref) <= test::chain_bound(m, magnitude));
    }
  }
}

CASE("linear_input_gradient gives the same bits on every set, for any split, in place and packed") {
  const struct {
    Index n, k, m;
  } shapes[] = {{64, 250, 784}, {70, 512, 400}, {260, 100, 50}};
  for (const auto& [n, k, m] : shapes) {
    Problem p(n, k, m, 5);
    RUN_SCALAR(linear_input_gradient, p.args);
    const std::vector<float> expected(p.dx.data(), p.dx.data() + n * k);

    for (const Index parts : {1, 2, 3, 7}) {
      p.dx.poison();
      RUN(linear_input_gradient, p.args, parts);
      CHECK(test::same_bits(p.dx.data(), expected.data(), n * k));
    }
  }
}
