#include "kernels/cross_entropy.h"

#include "kernels/elementary.h"
#include "kernels/set.h"

namespace milliner::MILLINER_SET {
namespace {

// Largest of a row; a NaN anywhere gives NaN. The order does not matter: selections do not round.
float largest(const float* x, Index classes) {
  float most = x[0];
  for (Index j = 1; j < classes; j++)
    most = x[j] > most || x[j] != x[j] ? x[j] : most;
  return most;
}

} // namespace

Work cross_entropy_work(const CrossEntropy& args) noexcept {
  return {args.classes == 0 ? 0 : args.n,
          4.0 * static_cast<double>(args.n) * static_cast<double>(args.classes), 0};
}

void cross_entropy_run(const CrossEntropy& args, Range items, float*) noexcept {
  for (Index row = items.begin; row < items.end; row++) {
    const float* x = args.logits + row * args.classes;
    const Index label = args.labels[row];
    const float most = largest(x, args.classes);
    const float label_distance = x[label] - most;
    float sum = 0;
    for_vectors(0, args.classes, [&](Index j, Index lanes) {
      const F terms = exponential(load_first(x + j, lanes) - splat(most));
      for (Index lane = 0; lane < lanes; lane++)
        sum += terms[lane];
    });
    args.losses[row] = logarithm(splat(sum))[0] - label_distance;
    if (!args.dlogits)
      continue;
    float* dx = args.dlogits + row * args.classes;
    const F n = splat(static_cast<float>(args.n));
    for_vectors(0, args.classes, [&](Index j, Index lanes) {
      const F softmax = exponential(load_first(x + j, lanes) - splat(most)) / splat(sum);
      const U index = splat(static_cast<std::uint32_t>(j)) + lane_numbers();
      const F onehot = index == splat(static_cast<std::uint32_t>(label)) ? splat(1.0f) : F{};
      store_first(dx + j, (softmax - onehot) / n, lanes);
    });
  }
}

} // namespace milliner::MILLINER_SET
