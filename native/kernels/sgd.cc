#include "kernels/sgd.h"

#include "kernels/linear_weight.h"
#include "kernels/set.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kPiece = 4096; // elements of an item without locks; with locks an item is a row

} // namespace

Work sgd_work(const Sgd& args) noexcept {
  const Index n = args.rows * args.columns;
  return {args.columns == 0 ? 0 : (args.locks ? args.rows : ceil_div(n, kPiece)),
          12.0 * static_cast<double>(n) / kBytesPerNanosecond, 0};
}

void sgd_run(const Sgd& args, Range items, float*) noexcept {
  const F step = splat(-args.lr);
  if (!args.locks) {
    for_vectors(items.begin * kPiece, smaller(items.end * kPiece, args.rows * args.columns),
                [&](Index i, Index lanes) {
                  store_first(args.w + i,
                              fma(step, load_first(args.g + i, lanes), load_first(args.w + i, lanes)), lanes);
                });
    return;
  }
  for (Index row = items.begin; row < items.end; row++) {
    const std::uint32_t* locks = args.locks + row * lock_words(args.columns);
    for_vectors(0, args.columns, [&](Index j, Index lanes) {
      // kLanes divides 32, so the bits of a vector lie in one word.
      const std::uint32_t valid = (1u << lanes) - 1u;
      const std::uint32_t writable = ~(locks[j >> 5] >> (j & 31)) & valid;
      if (writable == 0)
        return;
      float* w = args.w + row * args.columns + j;
      const I mask = lanes_of(writable);
      const F g = load_first(args.g + row * args.columns + j, lanes);
      store_lanes(w, fma(step, g, load_lanes(w, mask)), mask);
    });
  }
}

} // namespace milliner::MILLINER_SET
