// What the weight gradient and the weight update share. Lanes are inputs: x is packed into panels
// [rows][kColumns], dy is transposed once, and the whole batch is one run of the chain. Panels are grouped so
// that a group stays in L2 while all rows of w pass by.
#pragma once

#include "kernels/micro_kernel.h"
#include "kernels/panels.h"

namespace milliner::MILLINER_SET {
namespace {

// One tile of the gradient in registers; `x` is a packed panel, rows of `dyt` are ld apart.
template <int M, Fetch kFetch>
MILLINER_INLINE void gradient_tile(F (&g)[M][kVectors], Index n, const float* dyt, Index ld, const float* x,
                                   Ahead ahead) {
  clear(g);
  run_chains<M, kVectors, kFetch>(n, dyt, ld, x, kColumns, g, ahead);
  add_zero(g);
}

// How the two kernels share a thread's part: rows [begin, end) of the weights.
struct Plan {
  Index ld;     // stride of the transposed dy
  Index panels; // panels in a group

  explicit Plan(Index n)
      : ld(spread_stride(n)),
        panels(smaller(larger(kWeightGroupBytes / (larger(n, 1) * kColumns * 4), 1), kWeightGroupPanels)) {}

  std::size_t workspace(Index n, Index k, Index m) const {
    const Index group = smaller(panels, ceil_div(k, kColumns));
    return static_cast<std::size_t>(group * n * kColumns + m * ld);
  }
};

// Walks the tiles of rows [begin, end): visit(rows, first row, k0, columns, transposed dy, panel of x).
template <class Visit>
MILLINER_INLINE void for_tiles(const float* dy, const float* x, Index n, Index k, Index m, Index begin,
                               Index end, float* workspace, const Visit& visit) {
  const Plan plan(n);
  const Index group = plan.panels * kColumns;
  float* panels = workspace;
  float* dyt = workspace + smaller(plan.panels, ceil_div(k, kColumns)) * n * kColumns;
  transpose(dy + begin, m, n, end - begin, dyt, plan.ld);
  for (Index group0 = 0; group0 < k; group0 += group) {
    const Index group_end = smaller(group0 + group, k);
    for (Index k0 = group0; k0 < group_end; k0 += kColumns)
      pack_rows(x + k0, k, smaller(kColumns, group_end - k0), n, panels + (k0 - group0) * n);
    for (Index row = begin; row < end; row += kRows)
      for (Index k0 = group0; k0 < group_end; k0 += kColumns)
        visit(smaller(kRows, end - row), row, k0, smaller(kColumns, group_end - k0),
              dyt + (row - begin) * plan.ld, plan.ld, panels + (k0 - group0) * n);
  }
}

inline double weight_nanoseconds(Index n, Index k, Index m) {
  const double elements = static_cast<double>(m) * static_cast<double>(k);
  const double compute = 2.0 * static_cast<double>(n) * elements / kFlopsPerNanosecond;
  const double traffic = 8.0 * elements / kBytesPerNanosecond;
  return compute > traffic ? compute : traffic;
}

} // namespace
} // namespace milliner::MILLINER_SET
