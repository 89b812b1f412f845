// Chains by their terms: where most of a factor is zero, only its other elements are listed and multiplied. A
// term with a zero factor leaves a chain as it is if its other factor is finite, so the bits are those of the
// whole chain.
#pragma once

#include "kernels/micro_kernel.h"

namespace milliner::MILLINER_SET {
namespace {

// A term of a chain: the step at which it stands, and the factor that is not zero.
struct Term {
  std::uint32_t step;
  float factor;
};

// Floats of the workspace that so many terms take, with a vector more behind them.
constexpr Index kTermFloats = sizeof(Term) / sizeof(float);
constexpr Index term_floats(Index terms) { return (terms + kLanes) * kTermFloats; }

constexpr Index kSparseColumns = Index{kSparseVectors} * kLanes;

// Most terms that a product has which is computed by its terms.
constexpr Index most_terms(Index rows, Index chain) {
  return static_cast<Index>(kSparseShare * static_cast<double>(rows) * static_cast<double>(chain));
}

// Lanes that are terms. By their bits, so that whoever counts and whoever lists agree in any mode of the
// processor: a subnormal number is a term, which adds 0 where it is read as 0.
MILLINER_INLINE I are_terms(F factors) { return ((U)factors << 1u) != U{}; }

// Whether so few elements of a are not zero that computing `columns` columns by terms pays.
inline bool is_sparse(const float* a, Index rows, Index chain, Index columns) {
  if (rows < kSparseFrom || 2 * columns < kSparseColumns)
    return false;
  const Index most = most_terms(rows, chain);
  Index count = 0;
  for (Index row = 0; row < rows && count <= most; row++) {
    I ones{};
    for_vectors(row * chain, (row + 1) * chain,
                [&](Index i, Index lanes) { ones -= are_terms(load_first(a + i, lanes)); });
    for (int lane = 0; lane < kLanes; lane++)
      count += ones[lane];
  }
  return count <= most;
}

// The same of the gradient of a convolution's output, [pixels][channels], told from a sample of the pixels:
// whoever goes by this has room for every term.
inline bool is_sparse_gradient(const float* dy, Index pixels, Index channels) {
  const Index sample = smaller(pixels, kSampledPixels);
  if (pixels < kSparseFrom)
    return false;
  I ones{};
  for (Index i = 0; i < sample; i++) {
    const float* row = dy + i * pixels / sample * channels;
    for_vectors(0, channels, [&](Index c, Index lanes) { ones -= are_terms(load_first(row + c, lanes)); });
  }
  Index count = 0;
  for (int lane = 0; lane < kLanes; lane++)
    count += ones[lane];
  return static_cast<double>(count) <= kSparseGradient * static_cast<double>(sample * channels);
}

// Writes those of the lanes that are terms to `to`; returns the end of the list.
MILLINER_INLINE Term* list_lanes(U steps, F factors, Term* to) {
  U v = (U)factors;
  const Index count = pack_lanes(are_terms(factors), steps, v);
  auto* words = reinterpret_cast<std::uint32_t*>(to);
  store(words, zip_low(steps, v));
  store(words + kLanes, zip_high(steps, v));
  return to + count;
}

// Lists the terms among from[0], from[1], ..., which stand at step_of(i), a vector of steps. Behind the list
// there must be room for a vector of terms. Returns its end.
template <class StepOf>
MILLINER_INLINE Term* list_terms(const float* from, Index length, Term* to, const StepOf& step_of) {
  for_vectors(0, length, [&](Index i, Index lanes) {
    to = list_lanes(step_of(i, lanes), load_first(from + i, lanes), to);
  });
  return to;
}

// The same where the steps are 0, 1, ...
MILLINER_INLINE Term* list_terms(const float* from, Index length, Term* to) {
  return list_terms(from, length, to,
                    [](Index i, Index) { return splat(static_cast<std::uint32_t>(i)) + lane_numbers(); });
}

// Lists all of from[0], from[1], ..., zeros too.
inline Term* list_all(const float* from, Index length, Term* to, const std::int32_t* steps) {
  for (Index i = 0; i < length; i++)
    *to++ = {static_cast<std::uint32_t>(steps[i]), from[i]};
  return to;
}

// What a step meets are V vectors of the panel, `ld` floats from step to step.
template <int V>
MILLINER_INLINE void run_terms(const Term* terms, Index count, const float* panel, Index ld,
                               F (&tile)[1][V]) {
  for (const Term* end = terms + count; terms < end; terms++) {
    const F factor = splat(terms->factor);
    const float* b = panel + static_cast<Index>(terms->step) * ld;
    MILLINER_UNROLL for (int j = 0; j < V; j++) tile[0][j] = fma(factor, load(b + j * kLanes), tile[0][j]);
  }
}

// A part of a matrix that will be read soon.
struct Region {
  const float* at; // may lie past the end: a prefetch never faults
  Index stride, rows, columns;

  // Fetches the part-th of `parts` shares of its rows.
  MILLINER_INLINE void fetch(Index part, Index parts) const {
    for (Index row = part * rows / parts; row < (part + 1) * rows / parts; row++)
      for (Index column = 0; column < columns; column += 16)
        __builtin_prefetch(at + row * stride + column, 0, 2);
  }
};

// Continues the chains of V vectors.
template <int V>
__attribute__((noinline)) void sparse_tile(const Term* terms, Index count, const float* panel, Index ld,
                                           float* chains, bool first) {
  F tile[1][V];
  if (first)
    clear(tile);
  else
    load_tile(tile, chains, 0);
  run_terms(terms, count, panel, ld, tile);
  store_tile(tile, chains, 0);
}

// Calls body.operator()<vectors>() with the number of vectors as a constant, a multiple of kSparseStep.
template <int V = kSparseVectors, class Body>
MILLINER_INLINE void with_vectors(Index vectors, const Body& body) {
  if constexpr (V > kSparseStep) {
    if (vectors < V) {
      with_vectors<V - kSparseStep>(vectors, body);
      return;
    }
  }
  body.template operator()<V>();
}

// Vectors of a tile over so many columns.
constexpr Index vectors_over(Index columns) { return round_up(ceil_div(columns, kLanes), kSparseStep); }

// The same for each of the panels of so many columns, all about as wide:
// a narrow rest would wait for its own chains.
constexpr Index vectors_of_panels(Index columns) {
  return vectors_over(ceil_div(columns, larger(ceil_div(columns, kSparseColumns), 1)));
}

} // namespace
} // namespace milliner::MILLINER_SET
