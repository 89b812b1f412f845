#include "kernels/hat_gate_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

struct Problem {
  Floats e, da, out;

  explicit Problem(Index units) : e(units, 1), da(units, 2), out(units, 3) {
    Numbers numbers(static_cast<unsigned>(units));
    for (Index i = 0; i < units; i++) {
      e[i] = 6 * numbers.next() / 64;
      if (i % 2)
        e[i] = 6 * static_cast<float>(static_cast<std::int32_t>(numbers.word())) / 2147483648.0f;
      da[i] = 1 + numbers.next() / 128;
    }
  }
};

} // namespace

CASE("gate_forward is the sigmoid, and the windowed rule closes what lies left of -50") {
  for (const Index units : {0, 1, 17, 400})
    for (const double s : {1 / 400.0, 1.0, 20.0, 400.0})
      for (const bool windowed : {true, false}) {
        Problem p(units);

        RUN(gate_forward, (GateForward{p.e.data(), p.out.data(), units, s, windowed}), 2);

        for (Index i = 0; i < units; i++) {
          const float x = static_cast<float>(s) * p.e[i];
          if (windowed && x < -50)
            CHECK(p.out[i] == 0 && !std::signbit(p.out[i]));
          else if (x > -87) {
            const double exact = gate_ref(static_cast<double>(x), 1);
            CHECK(std::abs(static_cast<double>(p.out[i]) - exact) <= 2.4 * std::ldexp(1.0, -23) * exact);
          }
        }
        CHECK(p.out.intact());
      }
}

CASE("gate_backward: the closed form equals the paper's product where that is accurate, and the window is "
     "exact") {
  const Index units = 400;
  for (const double s : {1 / 400.0, 1.0, 5.0, 40.0, 400.0})
    for (const GateRule rule : {GateRule::windowed, GateRule::straight, GateRule::official, GateRule::off}) {
      Problem p(units);

      RUN(gate_backward, (GateBackward{p.da.data(), p.e.data(), p.out.data(), units, s, 400, rule}), 2);

      for (Index i = 0; i < units; i++) {
        const double x = s * static_cast<double>(p.e[i]), q = static_cast<double>(p.out[i]);
        if (rule == GateRule::windowed && (x <= -50.1 || x >= 16.7))
          CHECK(q == 0 && !std::signbit(p.out[i]));
        if (rule == GateRule::official && x >= 16.7)
          CHECK(q == 0);
        if (std::abs(x) > 8)
          continue;
        const double exact = gate_gradient_ref(static_cast<double>(p.da[i]), static_cast<double>(p.e[i]), s,
                                               400, rule != GateRule::off);
        // Without the closed form 1 - a has lost digits: a multiple of 2^-24 (hat.md 3.5).
        const bool closed = rule == GateRule::windowed || rule == GateRule::straight;
        const double bound = closed ? 4.5 * std::ldexp(1.0, -23) : 4e-4;
        CHECK(std::abs(q - exact) <= bound * std::abs(exact));
      }
      CHECK(p.out.intact());
    }
}

CASE("the official rule reproduces the published float32 arithmetic's table") {
  // hat.md 2.1: dL/da = 1, s_max = 400; values of the official code,
  // equal to PyTorch's to about 1e-5 for s e < 10.
  const struct {
    float e;
    double s, q, tolerance;
  } rows[] = {{0.5f, 0.0025, 94.0014954, 1e-5}, {1, 4, 78.6448975, 1e-5},
              {1, 10, 78.6809311, 2e-3},        {1, 17, 0, 0},
              {-1, 49, 78.644783, 1e-5},        {-1, 55, 0.529904306, 1e-4},
              {-1, 60, 0.00357046677, 1e-4}};
  for (const auto& row : rows) {
    const float da = 1;
    float q = -1;

    RUN(gate_backward, (GateBackward{&da, &row.e, &q, 1, row.s, 400, GateRule::official}), 1);

    CHECK(std::abs(static_cast<double>(q) - row.q) <= row.tolerance * row.q);
  }
}

CASE("gates and their gradients have the same bits on every set") {
  const Index units = 333;
  for (const double s : {1 / 400.0, 3.0, 400.0}) {
    Problem p(units);
    for (const bool windowed : {true, false}) {
      const GateForward args = {p.e.data(), p.out.data(), units, s, windowed};
      RUN_SCALAR(gate_forward, args);
      const std::vector<float> expected(p.out.data(), p.out.data() + units);
      RUN(gate_forward, args, 3);
      CHECK(test::same_bits(p.out.data(), expected.data(), units));
    }
    for (const GateRule rule : {GateRule::windowed, GateRule::straight, GateRule::official, GateRule::off}) {
      const GateBackward args = {p.da.data(), p.e.data(), p.out.data(), units, s, 400, rule};
      RUN_SCALAR(gate_backward, args);
      const std::vector<float> expected(p.out.data(), p.out.data() + units);
      RUN(gate_backward, args, 3);
      CHECK(test::same_bits(p.out.data(), expected.data(), units));
    }
  }
}

CASE("a NaN of an embedding comes out under every rule, one of da of every unit that is not asleep") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float e[] = {nan, 0.5f, 30, -60, 30}, da[] = {1, nan, nan, nan, 3};
  float q[5];

  RUN(gate_backward, (GateBackward{da, e, q, 5, 1, 400, GateRule::windowed}), 1);

  const float expected[] = {nan, nan, nan, 0, 0};
  CHECK(test::same_bits(q, expected, 5));
  for (const GateRule rule : {GateRule::straight, GateRule::official, GateRule::off}) {
    RUN(gate_backward, (GateBackward{da, e, q, 4, 1, 400, rule}), 1);
    for (int i = 0; i < 4; i++)
      CHECK(q[i] != q[i]);
  }
}
