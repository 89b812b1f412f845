#include "kernels/linear_weight_ref.h"
#include "test/kernel_test.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace milliner;
using test::Floats, test::Numbers;

namespace {

constexpr float kRate = 0.0625f;

struct Problem {
  Numbers numbers;
  Floats dy, x, w, post, pre;
  test::Guarded<std::uint32_t> locks;
  LinearWeightUpdate args{};

  Problem(Index n, Index k, Index m, unsigned seed)
      : numbers(seed), dy(n * m, numbers, 1), x(n * k, numbers, 3), w(m * k, numbers, 5), post(m, numbers, 1),
        pre(k, numbers, 2), locks(m * lock_words(k)) {
    for (Index i = 0; i < locks.size(); i++)
      locks[i] = numbers.chance(0.3) ? 0u : (numbers.chance(0.3) ? ~0u : numbers.word());
    args.dy = dy.data(), args.x = x.data(), args.w = w.data(), args.lr = kRate;
    args.n = n, args.k = k, args.m = m;
  }

  // Locks an element where one task uses both its units; units share their tasks in runs of `run`.
  void lock_by_tasks(int tasks, Index run) {
    const auto draw = [&](Index units) {
      std::vector<std::uint32_t> used;
      for (Index i = 0; i < units; i++)
        used.push_back(i % run == 0 ? numbers.word() >> 8 & ((1u << tasks) - 1u) : used.back());
      return used;
    };
    const std::vector<std::uint32_t> rows = draw(args.m), columns = draw(args.k);
    for (Index i = 0; i < locks.size(); i++)
      locks[i] = 0;
    for (Index i = 0; i < args.m; i++)
      for (Index j = 0; j < args.k; j++)
        if (rows[static_cast<std::size_t>(i)] & columns[static_cast<std::size_t>(j)])
          locks[i * lock_words(args.k) + j / 32] |= 1u << (j % 32);
  }
};

float gradient_chain(const LinearWeightUpdate& args, Index unit, Index k) {
  float v = 0;
  for (Index row = 0; row < args.n; row++)
    v = std::fma(args.dy[row * args.m + unit], args.x[row * args.k + k], v);
  return v + 0.0f;
}

// The contract of the update, element by element.
std::vector<float> updated(const LinearWeightUpdate& args) {
  std::vector<float> w(args.w, args.w + args.m * args.k);
  for (Index i = 0; i < args.m * args.k; i++) {
    const Index unit = i / args.k, k = i % args.k;
    if (is_locked_ref(args.locks, args.k, unit, k))
      continue;
    float g = gradient_chain(args, unit, k);
    if (args.post) {
      const float post = args.post[unit], pre = args.pre ? args.pre[k] : post;
      g = g * (1.0f - (pre <= post || pre != pre ? pre : post)); // a NaN of either wins
    }
    w[static_cast<std::size_t>(i)] = std::fma(-args.lr, g, args.w[i]);
  }
  return w;
}

} // namespace

CASE("linear_weight_gradient is one chain of fma per element, rows ascending, for every remainder") {
  for (const Index m : {0, 1, 4, 5, 6, 7, 11, 12, 13, 25})
    for (const Index k : test::sizes_up_to(65))
      for (const Index n : {0, 1, 33}) {
        Problem p(n, k, m, static_cast<unsigned>(n * 1000 + k * 10 + m));
        const LinearWeightGradient args = {p.args.dy, p.args.x, p.args.w, n, k, m};
        std::vector<float> expected;
        for (Index i = 0; i < m * k; i++)
          expected.push_back(gradient_chain(p.args, i / k, i % k));
        p.w.poison();

        RUN(linear_weight_gradient, args, 1 + m % 3);

        CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
        CHECK(p.w.intact());
      }
}

CASE("linear_weight_gradient stays within its error bound") {
  Numbers shapes(3);
  for (int round = 0; round < 20; round++) {
    const Index n = 1 + shapes.below(300), k = 1 + shapes.below(120), m = 1 + shapes.below(90);
    Problem p(n, k, m, static_cast<unsigned>(round));
    const LinearWeightGradient args = {p.args.dy, p.args.x, p.args.w, n, k, m};

    RUN(linear_weight_gradient, args, 2);

    for (Index i = 0; i < m * k; i++) {
      double magnitude = 0;
      const double ref = linear_weight_gradient_ref(args.dy, args.x, n, k, m, i / k, i % k, magnitude);
      CHECK(std::abs(static_cast<double>(p.w[i]) - ref) <= test::chain_bound(n, magnitude));
    }
  }
}

CASE("linear_weight_update follows its contract with and without conditioning and locks") {
  for (int round = 0; round < 80; round++) {
    Numbers shapes(static_cast<unsigned>(round));
    const Index n = shapes.below(70), k = shapes.below(150), m = shapes.below(60);
    Problem p(n, k, m, static_cast<unsigned>(round));
    if (round & 1)
      p.args.locks = p.locks.data();
    if (round & 2)
      p.args.post = p.post.data();
    if ((round & 6) == 6)
      p.args.pre = p.pre.data();
    if (round % 5 > 2) // as behind ReLU and dropout
      test::put_zeros(p.dy, p.numbers, round % 5 == 3 ? 0.7 : 0.99);
    const std::vector<float> expected = updated(p.args);

    RUN(linear_weight_update, p.args, 1 + round % 3);

    CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
    CHECK(p.w.intact());
  }
}

CASE(
    "what is not finite in dy, x, post or pre steps every free weight that it has a part in, where zeros are "
    "left out too") {
  for (int round = 0; round < 80; round++) {
    Numbers shapes(static_cast<unsigned>(round));
    const Index n = 33 + shapes.below(40), k = 50 + shapes.below(150), m = 1 + shapes.below(60);
    Problem p(n, k, m, static_cast<unsigned>(round));
    if (round & 1)
      p.lock_by_tasks(1 + round % 5, 1 + round % 3);
    p.args.locks = round & 1 ? p.locks.data() : nullptr;
    if (round & 2)
      p.args.post = p.post.data();
    if ((round & 6) == 6)
      p.args.pre = p.pre.data();
    test::put_zeros(p.dy, p.numbers, 0.75);
    for (Index i = 0; i < n * k; i++) // columns that need no step, unless what meets them is not finite
      if (i % k % 3 == 0)
        p.x[i] = 0;
    for (Floats* gates : {&p.post, &p.pre}) // shares
      for (Index at = 0; at < gates->size(); at++)
        (*gates)[at] = std::min(std::abs((*gates)[at]), 1.0f);
    for (Floats* factor : {&p.dy, &p.x, &p.post, &p.pre})
      if (p.numbers.chance(0.5))
        test::put_non_finite(*factor, p.numbers, 4.0 / static_cast<double>(factor->size()));
    const std::vector<float> expected = updated(p.args);

    RUN(linear_weight_update, p.args, 1 + round % 3);

    CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
    CHECK(p.w.intact());
  }
}

CASE("linear_weight_update gives the same bits on every set and for any split") {
  const struct {
    Index n;
    double zeros;
  } cases[] = {{64, 0}, {64, 0.75}, {700, 0}, {700, 0.75}};
  for (const auto& [n, zeros] : cases) {
    const Index k = 555, m = 80;
    Problem p(n, k, m, 4);
    p.args.locks = p.locks.data();
    test::put_zeros(p.dy, p.numbers, zeros);
    const std::vector<float> before(p.args.w, p.args.w + m * k);
    RUN_SCALAR(linear_weight_update, p.args);
    const std::vector<float> expected(p.args.w, p.args.w + m * k);

    for (const Index parts : {1, 2, 3, 7}) {
      std::memcpy(p.args.w, before.data(), before.size() * 4);
      RUN(linear_weight_update, p.args, parts);
      CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
    }
  }
}

CASE("linear_weight_update follows its contract under the locks of tasks, in classes of any size") {
  for (int round = 0; round < 120; round++) {
    Numbers shapes(static_cast<unsigned>(1000 + round));
    const Index n = shapes.below(70), k = 1 + shapes.below(round % 4 == 0 ? 600 : 150),
                m = 1 + shapes.below(round % 3 == 0 ? 250 : 60);
    Problem p(n, k, m, static_cast<unsigned>(round));
    p.lock_by_tasks(1 + round % 5, round % 2 == 0 ? 1 : 1 + shapes.below(40));
    p.args.locks = p.locks.data();
    if (round % 6 == 1)
      p.args.post = p.post.data();
    if (round % 12 == 1)
      p.args.pre = p.pre.data();
    if (round % 5 > 2)
      test::put_zeros(p.dy, p.numbers, round % 5 == 3 ? 0.7 : 0.99);
    const std::vector<float> expected = updated(p.args);

    RUN(linear_weight_update, p.args, 1 + round % 3);

    CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
    CHECK(p.w.intact());
  }
}

CASE("a step in the tile has the bits of a step from the stored gradient, for every rule, with and without "
     "locks") {
  for (int round = 0; round < 96; round++) {
    Numbers shapes(static_cast<unsigned>(2000 + round));
    const Index n = shapes.below(70), k = 1 + shapes.below(200), m = 1 + shapes.below(100);
    Problem p(n, k, m, static_cast<unsigned>(round));
    Floats first(m * k, p.numbers, 2), second(m * k, p.numbers, 3);
    for (Index i = 0; i < m * k; i++)
      second[i] = std::abs(second[i]);
    if (round % 5 > 2)
      test::put_zeros(p.dy, p.numbers, round % 5 == 3 ? 0.7 : 0.99);
    if (round % 3 == 2)
      p.lock_by_tasks(1 + round % 4, 1 + round % 7);
    const std::uint32_t* locks = round % 3 ? p.locks.data() : nullptr;
    for (Index i = 0; i < m * k; i++)
      if (is_locked_ref(locks, k, i / k, i % k))
        first[i] = second[i] = std::numeric_limits<float>::quiet_NaN();
    Floats g(m * k), w(m * k), first2(m * k), second2(m * k);
    const auto bytes = static_cast<std::size_t>(m * k) * 4;
    std::memcpy(w.data(), p.w.data(), bytes);
    std::memcpy(first2.data(), first.data(), bytes);
    std::memcpy(second2.data(), second.data(), bytes);
    RUN(linear_weight_gradient, (LinearWeightGradient{p.args.dy, p.args.x, g.data(), n, k, m}), 1);
    const Index parts = 1 + round % 2;

    if (round & 1) {
      const AdamFactors factors = {
          1e-3f, round & 2 ? 0.99f : 1.0f, round & 4 ? 0.01f : 0.0f, 0.1f, 0.999f, 1e-3f, 2, 1e-8f};
      RUN(linear_weight_adam,
          (LinearWeightAdam{p.args.dy, p.args.x, p.w.data(), first.data(), second.data(), factors, nullptr,
                            nullptr, locks, n, k, m}),
          parts);
      RUN(adam, (Adam{w.data(), g.data(), first2.data(), second2.data(), factors, locks, m, k}), 1);
    } else {
      const MomentumFactors factors = {0.1f, 0.9f, round & 2 ? 0.01f : 0.0f, (round & 4) != 0};
      const bool velocity = round & 8;
      RUN(linear_weight_momentum,
          (LinearWeightMomentum{p.args.dy, p.args.x, p.w.data(), velocity ? first.data() : nullptr, factors,
                                nullptr, nullptr, locks, n, k, m}),
          parts);
      RUN(momentum, (Momentum{w.data(), g.data(), velocity ? first2.data() : nullptr, factors, locks, m, k}),
          1);
    }

    CHECK(test::same_bits(p.w.data(), w.data(), m * k));
    CHECK(test::same_bits(first.data(), first2.data(), m * k));
    CHECK(test::same_bits(second.data(), second2.data(), m * k));
    CHECK(p.w.intact() && first.intact() && second.intact());
  }
}

CASE("soft conditioning scales the gradient that a rule with state sees") {
  const Index n = 9, k = 70, m = 23;
  for (const bool locked : {false, true}) {
    Problem p(n, k, m, 12);
    Floats velocity(m * k, p.numbers, 2);
    const MomentumFactors factors = {0.1f, 0.9f, 0, false};
    const std::uint32_t* locks = locked ? p.locks.data() : nullptr;
    std::vector<float> w, v;
    for (Index i = 0; i < m * k; i++) {
      const float least = p.pre[i % k] <= p.post[i / k] ? p.pre[i % k] : p.post[i / k];
      const Element<float> before = {p.w[i], velocity[i], 0};
      const Element<float> e =
          is_locked_ref(locks, k, i / k, i % k)
              ? before
              : momentum_ref(factors, gradient_chain(p.args, i / k, i % k) * (1.0f - least), before, true);
      w.push_back(e.w), v.push_back(e.first);
    }

    RUN(linear_weight_momentum,
        (LinearWeightMomentum{p.args.dy, p.args.x, p.w.data(), velocity.data(), factors, p.post.data(),
                              p.pre.data(), locks, n, k, m}),
        2);

    CHECK(test::same_bits(p.w.data(), w.data(), m * k));
    CHECK(test::same_bits(velocity.data(), v.data(), m * k));
  }
}

CASE("columns whose inputs are 0 in the whole batch are not touched, and the others follow the contract") {
  for (int round = 0; round < 60; round++) {
    Numbers shapes(static_cast<unsigned>(2000 + round));
    const Index n = 1 + shapes.below(70), k = 1 + shapes.below(round % 4 == 0 ? 600 : 150),
                m = 1 + shapes.below(60);
    Problem p(n, k, m, static_cast<unsigned>(round));
    if (round % 2)
      p.lock_by_tasks(1 + round % 5, 1);
    p.args.locks = round % 2 ? p.locks.data() : nullptr;
    if (round % 3 == 0) {
      for (Floats* gates : {&p.post, &p.pre}) // shares: a negative factor would make +0 of a weight of -0
        for (Index i = 0; i < gates->size(); i++)
          (*gates)[i] = std::min(std::abs((*gates)[i]), 1.0f);
      p.args.post = p.post.data(), p.args.pre = p.pre.data();
    }
    if (round % 2)
      test::put_zeros(p.dy, p.numbers, 0.75);
    std::vector<bool> zero;
    for (Index j = 0; j < k; j++) {
      zero.push_back(shapes.chance(round % 5 * 0.25));
      for (Index i = 0; zero.back() && i < n; i++)
        p.x[i * k + j] = shapes.chance(0.5) ? 0.0f : -0.0f;
    }
    const std::vector<float> expected = updated(p.args);
    const std::vector<float> before(p.args.w, p.args.w + m * k);

    RUN(linear_weight_update, p.args, 1 + round % 3);

    CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
    for (Index i = 0; i < m * k; i++)
      CHECK(!zero[static_cast<std::size_t>(i % k)] ||
            test::same_bits(&p.w[i], &before[static_cast<std::size_t>(i)], 1));
    CHECK(p.w.intact());
  }
}

CASE("bits of locks beyond the last column mean nothing") {
  for (const Index k : {1, 31, 33, 50}) {
    const Index n = 5, m = 40;
    Problem p(n, k, m, 9);
    p.lock_by_tasks(2, 1);
    p.args.locks = p.locks.data();
    const std::vector<float> expected = updated(p.args);
    for (Index i = 0; i < m; i++)
      p.locks[i * lock_words(k) + k / 32] ^= (p.numbers.word() | 1u << 31) << (k % 32);

    RUN(linear_weight_update, p.args, 1);

    CHECK(test::same_bits(p.w.data(), expected.data(), m * k));
  }
}

CASE("the update of an infinite gradient leaves locked elements as they were") {
  Problem p(3, 40, 13, 6);
  p.args.locks = p.locks.data();
  p.dy[0] = std::numeric_limits<float>::infinity();
  p.x[1] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> before(p.args.w, p.args.w + 13 * 40);

  RUN(linear_weight_update, p.args, 1);

  for (Index i = 0; i < 13 * 40; i++)
    if (is_locked_ref(p.args.locks, 40, i / 40, i % 40))
      CHECK(std::memcmp(&p.w[i], &before[static_cast<std::size_t>(i)], 4) == 0);
}

#if defined(__linux__)
CASE("rows that are all locked lie on write-protected pages, and nothing faults") {
  const auto page = static_cast<Index>(sysconf(_SC_PAGESIZE));
  const Index k = page / 4, n = 20; // a row of weights is a page
  const Index m = 30, first = 7, last = 21;
  Problem p(n, k, m, 7);
  void* pages = mmap(nullptr, static_cast<std::size_t>(m * page), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  auto* w = static_cast<float*>(pages);
  std::memcpy(w, p.args.w, static_cast<std::size_t>(m * page));
  for (Index i = 0; i < m * lock_words(k); i++)
    p.locks[i] = i / lock_words(k) >= first && i / lock_words(k) < last ? ~0u : 0u;
  p.args.w = w;
  p.args.locks = p.locks.data();
  const std::vector<float> expected = updated(p.args);
  mprotect(w + first * k, static_cast<std::size_t>((last - first) * page), PROT_READ);

  RUN(linear_weight_update, p.args, 1);

  CHECK(test::same_bits(w, expected.data(), m * k));
  munmap(pages, static_cast<std::size_t>(m * page));
}
#endif
