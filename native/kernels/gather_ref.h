// Reference of gather.h: element by element.
#pragma once

#include "kernels/gather.h"
#include "kernels/linear_weight.h"

namespace milliner {

inline bool bit_ref(const std::uint32_t* bits, Index columns, Index row, Index column) {
  return bits[row * lock_words(columns) + column / 32] >> (column % 32) & 1u;
}

// Index in the whole matrix of element [i][j] of the dense one.
inline Index whole_index_ref(const Selection& s, Index i, Index j) {
  return static_cast<Index>(s.rows[i]) * s.whole_columns + static_cast<Index>(s.columns[j]);
}

} // namespace milliner
