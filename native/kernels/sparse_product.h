// Products whose left factor is mostly zeros: ReLU and dropout leave about a quarter of a layer's activations
// and of the gradients that come back through them. A term with a zero factor leaves a chain as it is, so only
// the others are computed, and the bits are those of the whole chain.
//
//   c[i][j] = sum over the t with a[i][t] != 0 of a[i][t] * b(t, j)
//
// Every row of a has its own list of terms, so a tile is one row of c, wide enough to hide the latency of its
// chains, and reads b from a panel of kSparseChain x kSparseColumns in L1.
//
// Where b is not finite this does not hold, for 0 * NaN and 0 * inf are NaN: packing watches b, and the caller
// computes whole chains then.
#pragma once

#include "kernels/panels.h"
#include "kernels/terms.h"

namespace milliner::MILLINER_SET {
namespace {

// Floats of scratch.
constexpr std::size_t sparse_workspace(Index rows, Index chain) {
  const Index block = smaller(rows, kSparseRows);
  return static_cast<std::size_t>((kSparseChain + block) * kSparseColumns +
                                  term_floats(smaller(most_terms(rows, chain), block * chain)) +
                                  round_up(block * ceil_div(chain, kSparseChain), kTermFloats));
}

// For columns [begin, end) of c, where is_sparse(a, rows, chain, ...). Returns whether b was finite there; where
// it was not, what finish got is wrong.
// pack(t0, length, j0, columns, width, panel, watch): panel[t * width + j] = b(t0 + t, j0 + j),
// zeros from `columns` on; watch sees what is packed.
// region(t0, length, j0, columns): what it will read of b.
// finish(i, j0, columns, chains): these elements of c have their whole chains, but for the zero that is to be
// added at the end.
template <class Pack, class Ahead, class Finish>
MILLINER_INLINE bool sparse_product(const float* a, Index rows, Index chain, Index begin, Index end,
                                    float* workspace, const Pack& pack, const Ahead& region,
                                    const Finish& finish) {
  const Index block = smaller(rows, kSparseRows);
  float* panel = workspace;
  float* chains = panel + kSparseChain * kSparseColumns;
  auto* counts = reinterpret_cast<std::int32_t*>(chains + block * kSparseColumns);
  auto* terms =
      reinterpret_cast<Term*>(counts + round_up(block * ceil_div(chain, kSparseChain), kTermFloats));
  const Index width = vectors_of_panels(end - begin) * kLanes;
  Watch watch;
  for (Index i0 = 0; i0 < rows; i0 += block) {
    const Index count = smaller(block, rows - i0);
    // In the order in which they will be read.
    Term* listed = terms;
    std::int32_t* counted = counts;
    for (Index t0 = 0; t0 < chain; t0 += kSparseChain)
      for (Index i = 0; i < count; i++) {
        Term* start = listed;
        listed = list_terms(a + (i0 + i) * chain + t0, smaller(kSparseChain, chain - t0), listed);
        *counted++ = static_cast<std::int32_t>(listed - start);
      }
    for (Index j0 = begin; j0 < end; j0 += width) {
      const Index columns = smaller(width, end - j0), vectors = vectors_over(columns);
      const Term* next = terms;
      const std::int32_t* length_of = counts;
      Index t0 = 0;
      do { // once also for an empty chain: it is then +0
        const Index length = smaller(kSparseChain, chain - t0);
        const bool last = t0 + length == chain;
        pack(t0, length, j0, columns, vectors * kLanes, panel, watch);
        const Region ahead =
            last ? region(0, smaller(kSparseChain, chain), j0 + width, smaller(width, end - j0 - columns))
                 : region(t0 + length, smaller(kSparseChain, chain - t0 - length), j0, columns);
        with_vectors(vectors, [&]<int V>() {
          for (Index i = 0; i < count; i++) {
            ahead.fetch(i, count);
            const Index terms_of_row = length > 0 ? *length_of++ : 0;
            sparse_tile<V>(next, terms_of_row, panel, V * kLanes, chains + i * kSparseColumns, t0 == 0);
            next += terms_of_row;
          }
        });
        if (last)
          for (Index i = 0; i < count; i++)
            finish(i0 + i, j0, columns, chains + i * kSparseColumns);
        t0 += length;
      } while (t0 < chain);
    }
  }
  return watch.saw_only_finite();
}

} // namespace
} // namespace milliner::MILLINER_SET
