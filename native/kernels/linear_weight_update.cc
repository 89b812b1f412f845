#include "kernels/lock_classes.h"
#include "kernels/set.h"
#include "kernels/sparse_update.h"
#include "kernels/weight_tiles.h"

// The chain of a gradient ends in its tile, and the optimizer steps the weights there.

namespace milliner::MILLINER_SET {
namespace {

// Rows of a tile that follow each other, and columns that do.
template <class Rule, int M, Fetch kFetch>
__attribute__((noinline)) void update_tile(const Update<Rule>& shared, const float* dyt, const float* x,
                                           Index row, Index k0) {
  const Update<Rule> update = shared;
  const Index k = update.k;
  F g[M][kVectors];
  gradient_tile<M, kFetch>(g, update.n, dyt, update.ld, x,
                           {update.streams.at[0] + (row + kRows) * k + k0, k, 0});
  MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
    MILLINER_UNROLL for (int i = 0; i < M; i++) step_neighbours(update, g[i][j], row + i, k0 + j * kLanes);
  }
}

// Rows of a tile that are listed, and columns that follow each other: only those elements are read or written
// whose bit is set in writable[i].
template <class Rule, int M>
__attribute__((noinline)) void update_lanes_of_tile(const Update<Rule>& shared, const float* dyt,
                                                    const float* x, const std::int32_t* rows, Index k0,
                                                    const std::uint32_t* writable, Index columns) {
  const Update<Rule> update = shared;
  F g[M][kVectors];
  gradient_tile<M, Fetch::nothing>(g, update.n, dyt, update.ld, x, {});
  MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
    const Index lanes = smaller(kLanes, columns - j * kLanes);
    if (lanes <= 0)
      break;
    MILLINER_UNROLL for (int i = 0; i < M; i++) step_free_lanes(
        update, g[i][j], rows[i], k0 + j * kLanes, writable[i] >> (j * kLanes) & first_bits(kLanes), lanes);
  }
}

// The end of a tile of listed rows and columns; g has rows of kColumns.
template <class Rule>
MILLINER_INLINE void step_listed_rows(const Update<Rule>& update, const float* g, const std::int32_t* rows,
                                      int count_rows, const std::int32_t* columns, Index count) {
#pragma GCC unroll 1
  for (int i = 0; i < count_rows; i++, g += kColumns)
    MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
      const Index lanes = smaller(kLanes, count - j * kLanes);
      if (lanes > 0)
        step_listed_vector(update, load(g + j * kLanes), rows[i], columns + j * kLanes, lanes);
    }
}

// A tile of listed rows and listed columns, all of them free. While it is computed, the lines of the same
// columns of the next tile's rows are fetched, if there is one.
template <class Rule, int M, bool kFetch>
__attribute__((noinline)) void update_listed_tile(const Update<Rule>& shared, const float* dyt,
                                                  const float* x, const std::int32_t* rows,
                                                  const std::int32_t* columns, Index count) {
  const Update<Rule> update = shared;
  F g[M][kVectors];
  clear(g);
  for (Index t = 0, row = 0; t < update.n; t += kFetchSteps) {
    if constexpr (kFetch) {
      constexpr Index kRowsAtATime = (kRows + 1) / 2; // all of them in the 64 steps of the usual batch
      for (const Index last = smaller(row + kRowsAtATime, kRows); row < last; row++)
        for (Index column = columns[0]; column <= columns[kColumns - 1]; column += 16)
          for (int s = 0; s < Rule::kStreams; s++)
            __builtin_prefetch(update.streams.at[s] + rows[kRows + row] * update.k + column, 1, 2);
    }
    run_chains<M, kVectors>(smaller(kFetchSteps, update.n - t), dyt + t, update.ld, x + t * kColumns,
                            kColumns, g);
  }
  add_zero(g);
  if (!follow_each_other(columns, kColumns, count)) {
    // Scattering takes a tenth of the chains' time, and through memory its code is small.
    alignas(64) float tile[M * kColumns];
    store_tile(g, tile, kColumns);
    step_listed_rows(update, tile, rows, M, columns, count);
    return;
  }
  MILLINER_UNROLL for (int j = 0; j < kVectors; j++) {
    MILLINER_UNROLL for (int i = 0; i < M; i++)
        step_neighbours(update, g[i][j], rows[i], columns[0] + j * kLanes);
  }
}

// panel[t][lane] = x[t][columns[lane]], t < n; `count` of the columns are not repetitions of the last one.
void pack_listed(const float* x, Index ldx, const std::int32_t* columns, Index count, Index n, float* panel) {
  if (follow_each_other(columns, kColumns, count)) {
    pack_rows(x + columns[0], ldx, kColumns, n, panel);
    return;
  }
  MILLINER_UNROLL for (int lane = 0; lane < kColumns; lane += 4) {
    const Index a = columns[lane], b = columns[lane + 1], c = columns[lane + 2], d = columns[lane + 3];
    const float* row = x;
    for (Index t = 0; t < n; t++, row += ldx)
      *reinterpret_cast<F4Any*>(panel + t * kColumns + lane) = F4{row[a], row[b], row[c], row[d]};
  }
}

// Row place(c) of `to` is column c of `from`; columns without a place are left out.
template <class Place>
void transpose_to_places(const float* from, Index ldf, Index rows, Index columns, float* to, Index ldt,
                         const Place& place) {
  for (Index c = 0; c < columns; c += 4) {
    Index places[4], placed = 0;
    for (Index i = 0; i < 4; i++) {
      places[i] = c + i < columns ? place(c + i) : -1;
      placed += places[i] >= 0;
    }
    Index r = 0;
    if (placed == 4)
      for (; r + 4 <= rows; r += 4)
        transpose_4x4_apart(from + r * ldf + c, ldf, to + places[0] * ldt + r, to + places[1] * ldt + r,
                            to + places[2] * ldt + r, to + places[3] * ldt + r);
    for (Index i = 0; i < 4; i++)
      if (places[i] >= 0)
        for (Index rest = r; rest < rows; rest++)
          to[places[i] * ldt + rest] = from[rest * ldf + c + i];
  }
}

// Whether columns whose x is 0 stay as they are: under plain SGD, and where nothing in dy, of these rows alone, or
// in the condition makes NaN of 0.
template <class Rule> bool stays_without_x(const Update<Rule>& update, const float* dy, Index m, Range rows) {
  const Index count = rows.end - rows.begin;
  const auto [post, pre] = update.condition;
  return Rule::kStaysWithoutGradient && is_finite(dy, update.n, count, m) &&
         (!post || is_finite(post + rows.begin, 1, count, 0)) && (!pre || is_finite(pre, 1, update.k, 0));
}

// Bit k of `bits` is set where a step can change column k: not where `stays` and x is 0 in the whole batch. (The
// border of digits; units that fell asleep since the last plan.)
void moving_columns(const float* x, Index n, Index k, bool stays, std::uint32_t* bits) {
  for (Index word = 0; word < lock_words(k); word++) {
    const Index columns = smaller(32, k - word * 32);
    bits[word] = first_bits(columns);
    if (stays) {
      std::uint32_t moving = 0;
      for (Index lane = 0; lane < columns; lane += kLanes) {
        const Index lanes = smaller(kLanes, columns - lane);
        const float* at = x + word * 32 + lane;
        I any{};
        for (Index row = 0; row < n; row++)
          any |= load_first(at + row * k, lanes) != F{};
        moving |= bits_of(any) << lane;
      }
      bits[word] = moving;
    }
  }
}

// Lists whole tiles of neighbouring columns that cover the columns that move, ascending. A column between
// them that does not move is computed for nothing, which is cheaper than scattering the tile. The last
// columns, too few for a tile, are listed one by one. Returns how many are listed.
inline Index list_tiles(const std::uint32_t* moving, Index k, std::int32_t* columns) {
  Index count = 0;
  for (Index column = 0; column < k;) {
    const std::uint32_t rest = moving[column >> 5] >> (column & 31);
    if (rest == 0) {
      column = (column | 31) + 1;
      continue;
    }
    column += __builtin_ctz(rest);
    const bool whole = column + kColumns <= k;
    const Index listed = whole ? Index{kColumns} : 1;
    for (Index i = 0; i < listed; i++)
      columns[count++] = static_cast<std::int32_t>(column++);
  }
  repeat_last(columns, count);
  return count;
}

// Rows first, ..., last - 1 of `order` over the listed columns; dyt is in that order.
template <class Rule>
void update_listed(const Update<Rule>& update, const float* dyt, const float* x, const std::int32_t* order,
                   Index first, Index last, const std::int32_t* columns, Index free, float* panels) {
  const Index n = update.n, group = Plan(n).panels * kColumns;
  for (Index group0 = 0; group0 < free; group0 += group) {
    const Index group_end = smaller(group0 + group, free);
    for (Index c = group0; c < group_end; c += kColumns)
      pack_listed(x, update.k, columns + c, smaller(kColumns, group_end - c), n, panels + (c - group0) * n);
    for (Index row = first; row < last; row += kRows)
      for (Index c = group0; c < group_end; c += kColumns) {
        const float* panel = panels + (c - group0) * n;
        const float* a = dyt + row * update.ld;
        const Index count = smaller(kColumns, group_end - c);
        if (row + 2 * kRows <= last)
          update_listed_tile<Rule, kRows, true>(update, a, panel, order + row, columns + c, count);
        else
          with_rows(smaller(kRows, last - row), [&]<int M>() {
            update_listed_tile<Rule, M, false>(update, a, panel, order + row, columns + c, count);
          });
      }
  }
}

// Few enough rows of the batch for a panel of them in a cache, most of dy zero, and nothing in x that a zero of
// dy may not leave out.
bool is_updated_by_terms(const float* dy, const float* x, Index n, Index m, Index k) {
  return n <= kSparseRows && is_sparse(dy, n, m, k) && is_finite(x, 1, n * k, 0);
}

// Floats in front of the lists: panels and the transposed dy, or one panel and the terms of dy.
std::size_t factors_workspace(Index n, Index k, Index m) {
  const std::size_t dense = Plan(n).workspace(n, k, m);
  const auto sparse = static_cast<std::size_t>(n * kSparseColumns + RowTerms::workspace(n, m));
  return n <= kSparseRows && sparse > dense ? sparse : dense;
}

// What lies in the workspace behind the factors: lists of 32-bit numbers.
struct Lists {
  std::uint32_t* moving; // bits of columns
  std::int32_t* columns; // whole tiles
  std::int32_t* rows;    // the order of the rows, or the scratch of the classes

  Lists(float* memory, Index k)
      : moving(reinterpret_cast<std::uint32_t*>(memory)),
        columns(reinterpret_cast<std::int32_t*>(memory) + lock_words(k)),
        rows(columns + round_up(k, kListStep)) {}

  static constexpr Index size(Index k, Index m, bool locks) {
    return lock_words(k) + round_up(k, kListStep) + (locks ? LockClasses::scratch(m) : m);
  }
};

// Rows [begin, end) in classes of equal locks.
template <class Rule>
void update_unlocked(const Update<Rule>& update, const float* dy, const float* x, const std::uint32_t* locks,
                     Index m, Index begin, Index end, float* workspace) {
  const Plan plan(update.n);
  const Index n = update.n, k = update.k;
  const Lists lists(workspace + factors_workspace(n, k, m), k);
  moving_columns(x, n, k, stays_without_x(update, dy + begin, m, {begin, end}), lists.moving);
  const LockClasses classes(locks, k, begin, end, lists.rows);
  const std::int32_t* order = classes.order();
  const auto place = [&](Index i) { return classes.place(i); };
  const auto for_classes = [&](const auto& visit) {
    for (Index one = 0; one < classes.count(); one++) {
      const LockRow pattern = classes.pattern(one);
      const Index free = pattern.is_free() ? list_tiles(lists.moving, k, lists.columns)
                                           : list_columns(lists.moving, pattern, lists.columns);
      visit(classes.start(one), classes.start(one + 1), lists.columns, free);
    }
  };
  const Index rest = classes.start(classes.count());

  if (is_updated_by_terms(dy, x, n, m, k)) {
    const RowTerms terms(dy, n, m, begin, end, workspace + n * kSparseColumns, place);
    for_classes([&](Index first, Index last, const std::int32_t* columns, Index free) {
      update_by_terms(update, terms, x, order, first, last, columns, free, workspace);
    });
    update_free_lanes_by_terms(update, terms, x, locks, order, rest, classes.end(), workspace);
    return;
  }

  float* panels = workspace;
  float* dyt = panels + smaller(plan.panels, ceil_div(k, kColumns)) * n * kColumns;
  transpose_to_places(dy + begin, m, n, end - begin, dyt, plan.ld, place);
  for_classes([&](Index first, Index last, const std::int32_t* columns, Index free) {
    update_listed(update, dyt, x, order, first, last, columns, free, panels);
  });

  // Rows that no class has taken.
  const Index last = classes.end(), words = lock_words(k);
  if (rest == last)
    return;
  const Index group = plan.panels * kColumns;
  for (Index group0 = 0; group0 < k; group0 += group) {
    const Index group_end = smaller(group0 + group, k);
    for (Index k0 = group0; k0 < group_end; k0 += kColumns)
      pack_rows(x + k0, k, smaller(kColumns, group_end - k0), n, panels + (k0 - group0) * n);
    for (Index row = rest; row < last; row += kRows)
      for (Index k0 = group0; k0 < group_end; k0 += kColumns) {
        const Index rows = smaller(kRows, last - row), count = smaller(kColumns, group_end - k0);
        std::uint32_t writable[kRows], any = 0;
        for (Index i = 0; i < rows; i++) {
          writable[i] = ~(locks[order[row + i] * words + (k0 >> 5)] >> (k0 & 31)) & first_bits(count);
          any |= writable[i];
        }
        if (any == 0)
          continue;
        with_rows(rows, [&]<int M>() {
          update_lanes_of_tile<Rule, M>(update, dyt + row * plan.ld, panels + (k0 - group0) * n, order + row,
                                        k0, writable, count);
        });
      }
  }
}

template <class Rule>
void update_all(const Update<Rule>& update, const float* dy, const float* x, Index m, Index begin, Index end,
                float* workspace) {
  const Index n = update.n, k = update.k;
  if (is_updated_by_terms(dy, x, n, m, k)) {
    const Lists lists(workspace + factors_workspace(n, k, m), k);
    moving_columns(x, n, k, stays_without_x(update, dy + begin, m, {begin, end}), lists.moving);
    const Index listed = list_tiles(lists.moving, k, lists.columns);
    const RowTerms terms(dy, n, m, begin, end, workspace + n * kSparseColumns, [](Index i) { return i; });
    for (Index i = 0; i < end - begin; i++)
      lists.rows[i] = static_cast<std::int32_t>(begin + i);
    update_by_terms(update, terms, x, lists.rows, 0, end - begin, lists.columns, listed, workspace);
    return;
  }
  for_tiles(dy, x, n, k, m, begin, end, workspace,
            [&](Index rows, Index row, Index k0, Index columns, const float* dyt, Index, const float* panel) {
              if (columns == kColumns && row + 2 * kRows <= end) {
                update_tile<Rule, kRows, Fetch::to_write>(update, dyt, panel, row, k0);
                return;
              }
              std::uint32_t writable[kRows];
              std::int32_t listed[kRows];
              for (Index i = 0; i < kRows; i++) {
                writable[i] = first_bits(columns);
                listed[i] = static_cast<std::int32_t>(row + i);
              }
              with_rows(rows, [&]<int M>() {
                if (columns == kColumns)
                  update_tile<Rule, M, Fetch::nothing>(update, dyt, panel, row, k0);
                else
                  update_lanes_of_tile<Rule, M>(update, dyt, panel, listed, k0, writable, columns);
              });
            });
}

template <class Args> Work update_work(const Args& args, int streams) {
  const double elements = static_cast<double>(args.m) * static_cast<double>(args.k);
  const std::size_t workspace = factors_workspace(args.n, args.k, args.m) +
                                static_cast<std::size_t>(Lists::size(args.k, args.m, args.locks != nullptr));
  return {args.k == 0 ? 0 : ceil_div(args.m, kRowStep),
          weight_nanoseconds(args.n, args.k, args.m) + 8.0 * (streams - 1) * elements / kBytesPerNanosecond,
          workspace};
}

template <class Rule, class Args>
void update_run(const Rule& rule, const Streams<Rule::kStreams>& streams, const Args& args, Range items,
                float* workspace) {
  const Index begin = items.begin * kRowStep, end = smaller(items.end * kRowStep, args.m);
  const Update<Rule> update = {rule, streams, {args.post, args.pre}, args.n, args.k, Plan(args.n).ld};
  if (args.locks)
    update_unlocked(update, args.dy, args.x, args.locks, args.m, begin, end, workspace);
  else
    update_all(update, args.dy, args.x, args.m, begin, end, workspace);
}

} // namespace

} // namespace milliner::MILLINER_SET

#include "kernels/weight_update_entries.h"
