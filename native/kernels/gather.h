// Rows and columns of a matrix, gathered into a dense one of their own and put back: how a plan is made.
//
//   gather_matrix    to[i][j] = from[rows[i]][columns[j]]
//   scatter_matrix   to[rows[i]][columns[j]] = from[i][j]      where bit j of row i of `locks` is 0
//   gather_bits      bit j of row i of `to` = bit columns[j] of row rows[i] of `from`
//
// Lists ascend, so a gathered chain visits its terms in the order of the whole one, and threads that scatter
// different rows never meet. Bits of a matrix lie in words, least significant first; rows begin at a word.
//
// Shapes   the whole matrix [?, whole_columns], the dense one [row_count, column_count]. No overlap.
// Bits     copies: floats keep their bits, subnormal or not. A locked element of `to` is not written.
// Cost     one pass over the dense matrix; about 1 ns an element where columns are not neighbours.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct Selection {
  const std::uint32_t* rows;
  const std::uint32_t* columns;
  Index row_count, column_count;
  Index whole_columns;
};

struct GatherMatrix {
  const float* from;
  float* to;
  Selection selection;
};

struct ScatterMatrix {
  const float* from;
  const std::uint32_t* locks; // of the dense matrix, or null
  float* to;
  Selection selection;
};

struct GatherBits {
  const std::uint32_t* from;
  std::uint32_t* to;
  Selection selection;
};

} // namespace milliner
