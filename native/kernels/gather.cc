#include "kernels/gather.h"

#include "kernels/linear_weight.h"
#include "kernels/set.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// Whether the kLanes columns of the list from `columns` on are neighbours.
// The list ascends, so its ends tell.
MILLINER_INLINE bool adjacent(const std::uint32_t* columns) {
  return columns[kLanes - 1] - columns[0] == kLanes - 1;
}

Work copy_work(const Selection& s, double bytes) {
  const double elements = static_cast<double>(s.row_count) * static_cast<double>(s.column_count);
  return {s.column_count == 0 ? 0 : s.row_count, elements * (0.7 + bytes / kBytesPerNanosecond), 0};
}

} // namespace

Work gather_matrix_work(const GatherMatrix& args) noexcept { return copy_work(args.selection, 8); }

void gather_matrix_run(const GatherMatrix& args, Range items, float*) noexcept {
  const Selection& s = args.selection;
  for (Index i = items.begin; i < items.end; i++) {
    const float* from = args.from + static_cast<Index>(s.rows[i]) * s.whole_columns;
    float* to = args.to + i * s.column_count;
    Index j = 0;
    for (; j + kLanes <= s.column_count; j += kLanes) {
      const std::uint32_t* columns = s.columns + j;
      if (adjacent(columns))
        store(to + j, load(from + columns[0]));
      else
        for (int lane = 0; lane < kLanes; lane++)
          to[j + lane] = from[columns[lane]];
    }
    for (; j < s.column_count; j++)
      to[j] = from[s.columns[j]];
  }
}

Work scatter_matrix_work(const ScatterMatrix& args) noexcept { return copy_work(args.selection, 12); }

void scatter_matrix_run(const ScatterMatrix& args, Range items, float*) noexcept {
  const Selection& s = args.selection;
  for (Index i = items.begin; i < items.end; i++) {
    const float* from = args.from + i * s.column_count;
    float* to = args.to + static_cast<Index>(s.rows[i]) * s.whole_columns;
    const std::uint32_t* locks = args.locks ? args.locks + i * lock_words(s.column_count) : nullptr;
    for (Index j = 0; j < s.column_count; j += 32) {
      const Index count = smaller(32, s.column_count - j);
      const std::uint32_t locked = locks ? locks[j >> 5] : 0;
      if (locked == 0)
        for (Index lane = 0; lane < count; lane++)
          to[s.columns[j + lane]] = from[j + lane];
      else
        for (Index lane = 0; lane < count; lane++)
          if (!(locked >> lane & 1u))
            to[s.columns[j + lane]] = from[j + lane];
    }
  }
}

Work gather_bits_work(const GatherBits& args) noexcept { return copy_work(args.selection, 0.25); }

void gather_bits_run(const GatherBits& args, Range items, float*) noexcept {
  const Selection& s = args.selection;
  const Index words = lock_words(s.column_count);
  for (Index i = items.begin; i < items.end; i++) {
    const std::uint32_t* from = args.from + static_cast<Index>(s.rows[i]) * lock_words(s.whole_columns);
    for (Index word = 0; word < words; word++) {
      const Index j = word * 32, count = smaller(32, s.column_count - j);
      std::uint32_t bits = 0;
      for (Index lane = 0; lane < count; lane++) {
        const std::uint32_t column = s.columns[j + lane];
        bits |= (from[column >> 5] >> (column & 31) & 1u) << lane;
      }
      args.to[i * words + word] = bits;
    }
  }
}

} // namespace milliner::MILLINER_SET
