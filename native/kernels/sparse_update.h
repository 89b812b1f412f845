// The weight update where most of dy is zero, as behind ReLU and dropout: the gradient of a row of w is
// summed over the rows of the batch that have a dy for it, and a row without any is not touched by a rule
// that stays without a gradient.
#pragma once

#include "kernels/lock_classes.h"
#include "kernels/sparse_product.h"
#include "kernels/weight_update.h"

namespace milliner::MILLINER_SET {
namespace {

// The terms of every row of w, by its place.
class RowTerms {
public:
  static constexpr Index workspace(Index n, Index m) {
    return term_floats(most_terms(n, m)) + 2 * m + 16 * n;
  }

  // place(i): of row begin + i, or -1.
  template <class Place>
  RowTerms(const float* dy, Index n, Index m, Index begin, Index end, float* memory, const Place& place)
      : terms_(reinterpret_cast<Term*>(memory)),
        spans_(reinterpret_cast<std::int32_t*>(memory + term_floats(most_terms(n, m)))) {
    float* columns = reinterpret_cast<float*>(spans_ + 2 * m);
    Term* listed = terms_;
    for (Index i = begin; i < end; i += 16) {
      const Index count = smaller(16, end - i);
      transpose(dy + i, m, n, count, columns, n);
      for (Index c = 0; c < count; c++) {
        const Index at = place(i - begin + c);
        if (at < 0)
          continue;
        spans_[2 * at] = static_cast<std::int32_t>(listed - terms_);
        listed = list_terms(columns + c * n, n, listed);
        spans_[2 * at + 1] = static_cast<std::int32_t>(listed - terms_);
      }
    }
  }

  const Term* of(Index place) const { return terms_ + spans_[2 * place]; }
  Index count(Index place) const { return spans_[2 * place + 1] - spans_[2 * place]; }

private:
  Term* terms_;
  std::int32_t* spans_;
};

// panel[t * width + l] = x[t][columns[l]]; `count` of the columns are not repetitions of the last one.
inline void pack_terms_panel(const float* x, Index ldx, Index n, const std::int32_t* columns, Index count,
                             Index width, float* panel) {
  for (Index l = 0; l < width; l += kLanes) {
    const std::int32_t* at = columns + l;
    if (follow_each_other(at, kLanes, count - l))
      for (Index t = 0; t < n; t++)
        store(panel + t * width + l, load(x + t * ldx + at[0]));
    else
      for (Index t = 0; t < n; t++)
        store(panel + t * width + l, gather(x + t * ldx, at));
  }
}

template <class Rule, int V>
__attribute__((noinline)) void update_row_by_terms(const Update<Rule>& shared, const Term* terms, Index count,
                                                   const float* panel, Index row, const std::int32_t* columns,
                                                   Index listed) {
  const Update<Rule> update = shared;
  F g[1][V];
  clear(g);
  run_terms(terms, count, panel, V * kLanes, g);
  add_zero(g);
  if (follow_each_other(columns, V * kLanes, listed)) {
    MILLINER_UNROLL for (int j = 0; j < V; j++)
        step_neighbours(update, g[0][j], row, columns[0] + j * kLanes);
    return;
  }
  alignas(64) float gradient[V * kLanes]; // through memory the code is small
  store_tile(g, gradient, 0);
#pragma GCC unroll 1
  for (Index l = 0; l < listed; l += kLanes) {
    if (follow_each_other(columns + l, kLanes, listed - l))
      step_neighbours(update, load(gradient + l), row, columns[l]);
    else
      step_listed_vector(update, load(gradient + l), row, columns + l, smaller(kLanes, listed - l));
  }
}

// The streams of a row that will be stepped soon, from its first to its last listed column.
template <class Rule>
MILLINER_INLINE void fetch_row(const Update<Rule>& update, Index row, Index first, Index last) {
  for (int s = 0; s < Rule::kStreams; s++)
    for (Index column = first; column <= last; column += 16)
      __builtin_prefetch(update.streams.at[s] + row * update.k + column, 1, 3);
}

// Rows of the places [first, last), whose numbers are in `order`, over the listed columns, all of them free.
template <class Rule>
void update_by_terms(const Update<Rule>& update, const RowTerms& terms, const float* x,
                     const std::int32_t* order, Index first, Index last, const std::int32_t* columns,
                     Index free, float* panel) {
  constexpr Index kRowsAhead = 8;
  const Index width = vectors_of_panels(free) * kLanes;
  for (Index c = 0; c < free; c += width) {
    const Index listed = smaller(width, free - c);
    const Index vectors = vectors_over(listed);
    pack_terms_panel(x, update.k, update.n, columns + c, listed, vectors * kLanes, panel);
    // A negative share of no gradient is -0, which would make +0 of a weight that is -0.
    const bool stays = Rule::kStaysWithoutGradient && !update.condition.post;
    with_vectors(vectors, [&]<int V>() {
      for (Index place = first; place < last; place++) {
        if (place + kRowsAhead < last)
          fetch_row(update, order[place + kRowsAhead], columns[c], columns[c + listed - 1]);
        const Index count = terms.count(place);
        if (count > 0 || !stays)
          update_row_by_terms<Rule, V>(update, terms.of(place), count, panel, order[place], columns + c,
                                       listed);
      }
    });
  }
}

// Rows whose locks differ from row to row.
template <class Rule>
void update_free_lanes_by_terms(const Update<Rule>& update, const RowTerms& terms, const float* x,
                                const std::uint32_t* locks, const std::int32_t* order, Index first,
                                Index last, float* panel) {
  const Index k = update.k, width = kLanes;
  for (Index column = 0; column < k; column += width) {
    const Index lanes = smaller(kLanes, k - column);
    for (Index t = 0; t < update.n; t++)
      store(panel + t * width, load_first(x + t * k + column, lanes));
    for (Index place = first; place < last; place++) {
      const Index row = order[place];
      const std::uint32_t free =
          ~(locks[row * lock_words(k) + (column >> 5)] >> (column & 31)) & first_bits(lanes);
      if (free == 0)
        continue;
      F g[1][1];
      clear(g);
      run_terms(terms.of(place), terms.count(place), panel, width, g);
      add_zero(g);
      step_free_lanes(update, g[0][0], row, column, free, lanes);
    }
  }
}

} // namespace
} // namespace milliner::MILLINER_SET
