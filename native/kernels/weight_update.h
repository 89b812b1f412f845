// What every tile of a weight update needs.
#pragma once

#include "kernels/update_rule.h"

namespace milliner::MILLINER_SET {
namespace {

// The lowest `count` bits.
constexpr std::uint32_t first_bits(Index count) { return count >= 32 ? 0xFFFFFFFFu : (1u << count) - 1u; }

// Soft conditioning: post of the rows of the matrix, pre of its columns, or null.
struct Condition {
  const float* post;
  const float* pre;
};

MILLINER_INLINE F conditioned(F g, Condition condition, Index row, F pre) {
  const F post = splat(condition.post[row]);
  const F least = condition.pre ? ((post < pre) | (post != post) ? post : pre) : post; // a NaN wins
  return g * (splat(1.0f) - least);
}

// Rows of the streams are k apart; n: rows of the batch; ld: stride of the transposed dy, where there is one.
// A tile takes a copy: of what others may point to, every store makes the compiler read all again.
template <class Rule> struct Update {
  Rule rule;
  Streams<Rule::kStreams> streams;
  Condition condition;
  Index n, k, ld;
};

// Steps listed elements of a row: lane l is column columns[l], and the last `kLanes - count` lanes are none.
template <class Rule>
MILLINER_INLINE void step_listed_vector(const Update<Rule>& update, F g, Index row,
                                        const std::int32_t* columns, Index count) {
  const Condition condition = update.condition;
  if (condition.post)
    g = conditioned(g, condition, row, condition.pre ? gather(condition.pre, columns) : F{});
  step_listed(update.rule, g, update.streams, row * update.k, columns, count);
}

// Steps elements of a row from `column` on.
template <class Rule>
MILLINER_INLINE void step_neighbours(const Update<Rule>& update, F g, Index row, Index column) {
  const Condition condition = update.condition;
  if (condition.post)
    g = conditioned(g, condition, row, condition.pre ? load(condition.pre + column) : F{});
  step_vector(update.rule, g, update.streams, row * update.k + column);
}

// Steps the elements from `column` on whose bit is set; others, and those from `lanes` on, are not touched.
template <class Rule>
MILLINER_INLINE void step_free_lanes(const Update<Rule>& update, F g, Index row, Index column,
                                     std::uint32_t bits, Index lanes) {
  const Condition condition = update.condition;
  if (condition.post)
    g = conditioned(g, condition, row, condition.pre ? load_first(condition.pre + column, lanes) : F{});
  const Index offset = row * update.k + column;
  if (bits == first_bits(kLanes))
    step_vector(update.rule, g, update.streams, offset);
  else if (bits != 0)
    step_lanes(update.rule, g, update.streams, offset, bits);
}

} // namespace
} // namespace milliner::MILLINER_SET
