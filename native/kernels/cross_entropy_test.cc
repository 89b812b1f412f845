#include "kernels/cross_entropy_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

CASE("cross_entropy and its gradient stay near the reference, with the same bits on every set and split") {
  for (const Index classes : {1, 2, 7, 8, 9, 10, 17, 100})
    for (const Index n : {0, 1, 5, 64}) {
      Numbers numbers(static_cast<unsigned>(classes * 100 + n));
      Floats logits(n * classes, numbers), losses(n, 2), gradient(n * classes, 3);
      test::Guarded<std::int32_t> labels(n);
      for (Index i = 0; i < n; i++)
        labels[i] = static_cast<std::int32_t>(numbers.below(classes));
      const CrossEntropy args = {logits.data(), labels.data(), losses.data(), gradient.data(), n, classes};
      RUN_SCALAR(cross_entropy, args);
      const std::vector<float> scalar_losses(losses.data(), losses.data() + n);
      const std::vector<float> scalar_gradient(gradient.data(), gradient.data() + n * classes);
      losses.poison(), gradient.poison();

      RUN(cross_entropy, args, 3);

      CHECK(test::same_bits(losses.data(), scalar_losses.data(), n));
      CHECK(test::same_bits(gradient.data(), scalar_gradient.data(), n * classes));
      CHECK(losses.intact() && gradient.intact());
      // The sum's chain and the two functions: (classes + 8) roundings of numbers below max(1, loss).
      const double roundings = static_cast<double>(classes + 8) * std::ldexp(1.0, -24);
      for (Index i = 0; i < n; i++) {
        const float* row = logits.data() + i * classes;
        const double loss = cross_entropy_ref(row, classes, labels[i]);
        CHECK(std::abs(static_cast<double>(losses[i]) - loss) <= roundings * (1 + loss + 64));
        for (Index j = 0; j < classes; j++) {
          const double exact = (softmax_ref(row, classes, j) - (j == labels[i])) / static_cast<double>(n);
          CHECK(std::abs(static_cast<double>(gradient[i * classes + j]) - exact) <=
                64 * roundings / static_cast<double>(n));
        }
      }
    }
}

CASE("logits of any size give finite losses, and a NaN shows") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float logits[] = {3e38f, -3e38f, 0, nan, 1, 2};
  const std::int32_t labels[] = {0, 1};
  float losses[2];

  RUN(cross_entropy, (CrossEntropy{logits, labels, losses, nullptr, 2, 3}), 1);

  CHECK(losses[0] == 0);
  CHECK(losses[1] != losses[1]);
}
