#include "kernels/optimizer_step_ref.h"
#include "test/kernel_test.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

// Weights with state, a gradient and locks.
struct Problem {
  Index rows, columns;
  Numbers numbers;
  Floats w, g, first, second;
  test::Guarded<std::uint32_t> locks;

  Problem(Index row_count, Index column_count, unsigned seed)
      : rows(row_count), columns(column_count), numbers(seed), w(rows * columns, numbers),
        g(rows * columns, numbers, 3), first(rows * columns, numbers, 2), second(rows * columns, numbers, 5),
        locks(rows * lock_words(columns)) {
    for (Index i = 0; i < second.size(); i++)
      second[i] = std::abs(second[i]); // a mean of squares
    for (Index i = 0; i < locks.size(); i++)
      locks[i] = numbers.chance(0.3) ? 0u : (numbers.chance(0.3) ? ~0u : numbers.word());
  }

  Element<float> element(Index i) const { return {w[i], first[i], second[i]}; }

  // Runs a kernel and compares w and state with `step` of every free element; locked state is NaN.
  template <class Step, class Run> void check(bool locked, const Step& step, const Run& run) {
    const std::uint32_t* bits = locked ? locks.data() : nullptr;
    std::vector<float> expected[3];
    for (Index i = 0; i < rows * columns; i++) {
      const bool fixed = is_locked_ref(bits, columns, i / columns, i % columns);
      if (fixed)
        first[i] = second[i] = std::numeric_limits<float>::quiet_NaN();
      const Element<float> e = fixed ? element(i) : step(g[i], element(i));
      expected[0].push_back(e.w), expected[1].push_back(e.first), expected[2].push_back(e.second);
    }

    run(bits);

    CHECK(test::same_bits(w.data(), expected[0].data(), rows * columns));
    CHECK(test::same_bits(first.data(), expected[1].data(), rows * columns));
    CHECK(test::same_bits(second.data(), expected[2].data(), rows * columns));
    CHECK(w.intact() && first.intact() && second.intact());
  }
};

// What PyTorch's defaults give in the third step.
AdamFactors adam_factors(float decay, float shrink) {
  return {1e-3f / (1 - 0.729f), shrink, decay, 0.1f, 0.999f, 1e-3f, 1 / std::sqrt(1 - 0.997002999f), 1e-8f};
}

} // namespace

CASE("sgd is one fma per free element and leaves locked ones as they were") {
  for (const Index columns : test::sizes_up_to(130))
    for (const bool locked : {false, true}) {
      Problem p(5, columns, static_cast<unsigned>(columns));
      p.check(
          locked,
          [](float g, Element<float> e) {
            return Element<float>{std::fma(-0.1f, g, e.w), e.first, e.second};
          },
          [&](const std::uint32_t* bits) {
            RUN(sgd, (Sgd{p.w.data(), p.g.data(), 0.1f, bits, p.rows, p.columns}), 2);
          });
    }
}

CASE("momentum steps weight and velocity of free elements as its formula says, and no locked one") {
  for (const Index columns : test::sizes_up_to(130))
    for (int form = 0; form < 16; form++) {
      Problem p(5, columns, static_cast<unsigned>(columns * 16 + form));
      const bool velocity = form & 4;
      const MomentumFactors factors = {0.1f, 0.9f, form & 1 ? 0.01f : 0.0f, (form & 2) != 0};
      p.check(
          form & 8, [&](float g, Element<float> e) { return momentum_ref(factors, g, e, velocity); },
          [&](const std::uint32_t* bits) {
            RUN(momentum,
                (Momentum{p.w.data(), p.g.data(), velocity ? p.first.data() : nullptr, factors, bits, p.rows,
                          p.columns}),
                2);
          });
    }
}

CASE("adam steps weight, mean and square of free elements as its formula says, and no locked one") {
  for (const Index columns : test::sizes_up_to(130))
    for (int form = 0; form < 8; form++) {
      Problem p(5, columns, static_cast<unsigned>(columns * 8 + form));
      const AdamFactors factors = adam_factors(form & 1 ? 0.01f : 0, form & 2 ? 0.99f : 1);
      p.check(
          form & 4, [&](float g, Element<float> e) { return adam_ref(factors, g, e); },
          [&](const std::uint32_t* bits) {
            RUN(adam,
                (Adam{p.w.data(), p.g.data(), p.first.data(), p.second.data(), factors, bits, p.rows,
                      p.columns}),
                2);
          });
    }
}

CASE("steps of momentum and adam stay within a few roundings of the double reference") {
  const Index n = 5000;
  Problem p(1, n, 3);
  Problem q(1, n, 4);
  const MomentumFactors momentum_factors = {0.1f, 0.9f, 0.01f, true};
  const AdamFactors factors = adam_factors(0.01f, 0.99f);
  std::vector<Element<double>> before[2];
  for (Index i = 0; i < n; i++) {
    before[0].push_back({p.w[i], p.first[i], 0});
    before[1].push_back({q.w[i], q.first[i], q.second[i]});
  }

  RUN(momentum, (Momentum{p.w.data(), p.g.data(), p.first.data(), momentum_factors, nullptr, 1, n}), 1);
  RUN(adam, (Adam{q.w.data(), q.g.data(), q.first.data(), q.second.data(), factors, nullptr, 1, n}), 1);

  // A rounding is 2^-24 of what is rounded, none of which is larger than these sums; mean / root has three
  // more, and its mean at most two.
  const double unit = std::ldexp(1.0, -24), tiny = std::ldexp(1.0, -100);
  for (Index i = 0; i < n; i++) {
    const auto at = static_cast<std::size_t>(i);
    const Element<double> m = momentum_ref<double>(momentum_factors, p.g[i], before[0][at], true);
    const double along = std::abs(before[0][at].first) + std::abs(p.g[i]) + std::abs(before[0][at].w);
    CHECK(std::abs(p.first[i] - m.first) <= 2 * unit * along + tiny);
    CHECK(std::abs(p.w[i] - m.w) <= unit * (std::abs(m.w) + along) + tiny);

    const Element<double> a = adam_ref<double>(factors, q.g[i], before[1][at]);
    const double sum = std::abs(before[1][at].first) + std::abs(q.g[i]) + std::abs(before[1][at].w);
    const double root = std::sqrt(a.second) * factors.correction + factors.epsilon;
    CHECK(std::abs(q.first[i] - a.first) <= 3 * unit * sum + tiny);
    CHECK(std::abs(q.second[i] - a.second) <= 4 * unit * (sum * sum + a.second) + tiny);
    if (root > 1e-3) // below, the relative error of a small square is that of a flushed one
      CHECK(std::abs(q.w[i] - a.w) <= unit * (2 * std::abs(before[1][at].w) + 2 * std::abs(a.w) +
                                              factors.step * (10 * std::abs(a.first) + 3 * sum) / root *
                                                  (1 + 4 * sum * sum / a.second)) +
                                          tiny);
  }
}

#if defined(__linux__)
CASE("sgd does not touch a write-protected page whose elements are locked") {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto columns = static_cast<Index>(page / 4);
  void* pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  auto* w = static_cast<float*>(pages);
  mprotect(w, page, PROT_READ);
  Numbers numbers(1);
  const Floats g(2 * columns, numbers);
  std::vector<std::uint32_t> locks(static_cast<std::size_t>(2 * lock_words(columns)));
  std::fill(locks.begin(), locks.begin() + lock_words(columns), ~0u);

  RUN(sgd, (Sgd{w, g.data(), 1, locks.data(), 2, columns}), 1);

  for (Index i = 0; i < 2 * columns; i++)
    CHECK(w[i] == (i < columns ? 0 : -g[i]));
  munmap(pages, 2 * page);
}
#endif
