#include "kernels/optimizer_step.h"

#include "kernels/set.h"
#include "kernels/update_rule.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kPiece = 4096; // elements of an item without locks; with locks an item is a row

template <class Args> Work step_work(const Args& args, int streams) {
  const Index n = args.rows * args.columns;
  return {args.columns == 0 ? 0 : (args.locks ? args.rows : ceil_div(n, kPiece)),
          (4.0 + 8.0 * streams) * static_cast<double>(n) / kBytesPerNanosecond, 0};
}

template <class Rule, class Args>
void step_elements(const Rule& rule, const Streams<Rule::kStreams>& streams, const Args& args, Range items) {
  if (!args.locks) {
    for_vectors(items.begin * kPiece, smaller(items.end * kPiece, args.rows * args.columns),
                [&](Index i, Index lanes) {
                  if (lanes == kLanes)
                    step_vector(rule, load(args.g + i), streams, i);
                  else
                    step_lanes(rule, load_first(args.g + i, lanes), streams, i, (1u << lanes) - 1u);
                });
    return;
  }
  for (Index row = items.begin; row < items.end; row++) {
    const std::uint32_t* locks = args.locks + row * lock_words(args.columns);
    for_vectors(0, args.columns, [&](Index j, Index lanes) {
      // kLanes divides 32, so the bits of a vector lie in one word.
      const std::uint32_t valid = (1u << lanes) - 1u;
      const std::uint32_t writable = ~(locks[j >> 5] >> (j & 31)) & valid;
      const Index at = row * args.columns + j;
      if (writable == (1u << kLanes) - 1u)
        step_vector(rule, load(args.g + at), streams, at);
      else if (writable != 0)
        step_lanes(rule, load_first(args.g + at, lanes), streams, at, writable);
    });
  }
}

} // namespace

Work sgd_work(const Sgd& args) noexcept { return step_work(args, 1); }

void sgd_run(const Sgd& args, Range items, float*) noexcept {
  step_elements(SgdRule(args.lr), {{args.w}}, args, items);
}

Work momentum_work(const Momentum& args) noexcept { return step_work(args, args.velocity ? 2 : 1); }

void momentum_run(const Momentum& args, Range items, float*) noexcept {
  if (args.velocity)
    step_elements(MomentumRule(args.factors), {{args.w, args.velocity}}, args, items);
  else
    step_elements(DecayRule(args.factors), {{args.w}}, args, items);
}

Work adam_work(const Adam& args) noexcept { return step_work(args, 3); }

void adam_run(const Adam& args, Range items, float*) noexcept {
  step_elements(AdamRule(args.factors), {{args.w, args.mean, args.square}}, args, items);
}

} // namespace milliner::MILLINER_SET
