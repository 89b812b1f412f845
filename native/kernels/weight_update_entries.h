// The kernels that update a weight: which rule steps it for which arguments.
// Included at the end of a source that has, in the set's namespace, update_work(args, streams) and
// update_run(rule, streams, args, items, workspace).
#pragma once

#include "kernels/linear_weight.h"
#include "kernels/update_rule.h"

namespace milliner::MILLINER_SET {

Work linear_weight_update_work(const LinearWeightUpdate& args) noexcept { return update_work(args, 1); }

void linear_weight_update_run(const LinearWeightUpdate& args, Range items, float* workspace) noexcept {
  update_run(SgdRule(args.lr), {{args.w}}, args, items, workspace);
}

Work linear_weight_momentum_work(const LinearWeightMomentum& args) noexcept {
  return update_work(args, args.velocity ? 2 : 1);
}

void linear_weight_momentum_run(const LinearWeightMomentum& args, Range items, float* workspace) noexcept {
  if (args.velocity)
    update_run(MomentumRule(args.factors), {{args.w, args.velocity}}, args, items, workspace);
  else
    update_run(DecayRule(args.factors), {{args.w}}, args, items, workspace);
}

Work linear_weight_adam_work(const LinearWeightAdam& args) noexcept { return update_work(args, 3); }

void linear_weight_adam_run(const LinearWeightAdam& args, Range items, float* workspace) noexcept {
  update_run(AdamRule(args.factors), {{args.w, args.mean, args.square}}, args, items, workspace);
}

} // namespace milliner::MILLINER_SET
