#include "kernels/elementwise_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// Every `step`-th float of either sign in [low, high] by size; the reference is asked for the largest error.
template <class Reference>
double largest_error(Kernel<Unary> Table::* kernel, float low, float high, std::uint32_t step,
                     const Reference& reference) {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += step) {
    const float v = float_of(static_cast<std::uint32_t>(bits));
    if (v >= low && v <= high && std::abs(v) >= 1e-30f)
      x.push_back(v);
  }
  std::vector<float> y(x.size());
  const Unary args = {x.data(), y.data(), static_cast<Index>(x.size())};
  test::run_parts(test::table().*kernel, args, 1);
  double most = 0;
  for (std::size_t i = 0; i < x.size(); i++)
    most = std::max(most, ulps(y[i], reference(static_cast<long double>(x[i]))));
  return most;
}

constexpr std::uint32_t kStep = 4099; // a million floats

using UnaryKernel = Kernel<Unary> Table::*;

std::vector<float> apply(UnaryKernel kernel, const Table& table, std::vector<float> x) {
  std::vector<float> y(x.size());
  test::run_parts(table.*kernel, {x.data(), y.data(), static_cast<Index>(x.size())}, 1);
  return y;
}

} // namespace

CASE("exp, sigmoid, tanh and log stay within the errors that elementary.h states") {
  for (const char* kernel : {"exp", "sigmoid", "tanh", "log"})
    test::mark_tested(kernel);
  CHECK(largest_error(&Table::exp, -87.3f, 88.7f, kStep, [](long double x) { return std::exp(x); }) <= 1.01);
  CHECK(largest_error(&Table::sigmoid, -87.3f, 100, kStep, sigmoid_ref) <= 2.4);
  CHECK(largest_error(&Table::tanh, -20, 20, kStep, [](long double x) { return std::tanh(x); }) <= 2.0);
  CHECK(largest_error(&Table::log, 1.2e-38f, 3e38f, kStep, [](long double x) { return std::log(x); }) <= 1.0);
}

CASE("the ends of exp, sigmoid, tanh and log") {
  const std::vector<float> exp =
      apply(&Table::exp, test::table(), {-kInfinity, -87.4f, 0, 88.8f, kInfinity, kNaN, -0.0f});
  const float exp_expected[] = {0, 0, 1, kInfinity, kInfinity, kNaN, 1};
  CHECK(test::same_bits(exp.data(), exp_expected, 7));

  const std::vector<float> sigmoid =
      apply(&Table::sigmoid, test::table(), {-kInfinity, -100, 0, 16.635533f, kInfinity, kNaN});
  const float sigmoid_expected[] = {0, 0, 0.5f, 1, 1, kNaN};
  CHECK(test::same_bits(sigmoid.data(), sigmoid_expected, 6));

  const std::vector<float> tanh =
      apply(&Table::tanh, test::table(), {-kInfinity, -20, 0, -0.0f, 20, kInfinity, kNaN});
  const float tanh_expected[] = {-1, -1, 0, 0, 1, 1, kNaN};
  CHECK(test::same_bits(tanh.data(), tanh_expected, 7));

  const std::vector<float> log =
      apply(&Table::log, test::table(), {-1, 0, -0.0f, 1e-45f, 1, kInfinity, kNaN});
  const float log_expected[] = {kNaN, -kInfinity, -kInfinity, -kInfinity, 0, kInfinity, kNaN};
  CHECK(test::same_bits(log.data(), log_expected, 7));
}

CASE("every elementary function gives the same bits on every set, for any length, in place too") {
  for (const UnaryKernel kernel : {&Table::exp, &Table::log, &Table::tanh, &Table::sigmoid, &Table::relu})
    for (const Index n : {0, 1, 7, 33, 4096, 9001}) {
      Numbers numbers(static_cast<unsigned>(n));
      Floats x(n, numbers);
      for (Index i = 0; i < n; i++)
        if (i % 3 == 0)
          x[i] = float_of(numbers.word());
      const std::vector<float> expected = apply(kernel, milliner::scalar::table, {x.data(), x.data() + n});

      test::mark_tested("relu");
      test::run_parts(test::table().*kernel, {x.data(), x.data(), n}, 3);

      CHECK(test::same_bits(x.data(), expected.data(), n));
      CHECK(x.intact());
    }
}

CASE("add, multiply, scale, clamp, relu and its backward do what they say, in place too") {
  for (const Index n : {0, 1, 15, 33, 4095, 4097, 9001}) {
    Numbers numbers(static_cast<unsigned>(n));
    Floats a(n, numbers), b(n, numbers, 3), out(n, 5);
    if (n > 3)
      a[3] = b[2] = kNaN;
    const auto check = [&](const auto& f) {
      std::vector<float> expected;
      for (Index i = 0; i < n; i++)
        expected.push_back(f(a[i], b[i]));
      CHECK(test::same_bits(out.data(), expected.data(), n));
      CHECK(out.intact());
      out.poison();
    };

    RUN(add, (Binary{a.data(), b.data(), out.data(), n}), 2);
    check([](float x, float y) { return x + y; });
    RUN(multiply, (Binary{a.data(), b.data(), out.data(), n}), 2);
    check([](float x, float y) { return x * y; });
    RUN(scale, (Scale{a.data(), out.data(), n, 0.3f}), 2);
    check([](float x, float) { return x * 0.3f; });
    RUN(clamp, (Clamp{a.data(), out.data(), n, -0.25f, 0.5f}), 2);
    check([](float x, float) { return x < -0.25f ? -0.25f : (x > 0.5f ? 0.5f : x); });
    RUN(relu, (Unary{a.data(), out.data(), n}), 2);
    check([](float x, float) { return x <= 0 ? 0.0f : x; });
    RUN(relu_backward, (Binary{a.data(), b.data(), out.data(), n}), 2);
    check([](float dy, float y) { return y <= 0 ? 0.0f : dy; });
  }
}
