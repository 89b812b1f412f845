// Rows of weights grouped by equal lock pattern, so that what is locked is not computed at all.
//
// Rows of a class have the same free columns: their activations are packed over a list of these, and a tile
// of the class has no locked element in it. Under rule `min` there are two classes (the rows of protected
// units, and the others), under `tight` one for every set of tasks that some row's unit is used by.
//
// A class of few rows does not repay its packing: such rows are taken together, over all columns, and each
// element of their tiles asks for its lock.
#pragma once

#include "kernels/linear_weight.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// Packing a free column costs as much as 8 rows of its products (measured on Zen 3: 0.5 cycles an element of
// x, against 1/16 for a product); a tile that asks for locks costs 1.5 times a tile that does not.
constexpr Index kPackingRows = 8;
constexpr bool pays_for_packing(Index rows, Index free, Index k) {
  return 2 * free * (kPackingRows + rows) < 3 * k * rows;
}

// Lists of whole numbers in the workspace, which is counted in floats.
static_assert(sizeof(std::int32_t) == sizeof(float));

// The set bits of words of lock bits, of which the last holds `k & 31` columns, or 32.
struct LockRow {
  const std::uint32_t* words;
  Index count;
  std::uint32_t last;

  LockRow(const std::uint32_t* locks, Index row, Index k)
      : words(locks + row * lock_words(k)), count(lock_words(k)),
        last(k & 31 ? (1u << (k & 31)) - 1u : 0xFFFFFFFFu) {}

  std::uint32_t word(Index i) const { return i + 1 < count ? words[i] : words[i] & last; }

  bool is_free() const {
    std::uint32_t any = 0;
    for (Index i = 0; i < count; i++)
      any |= word(i);
    return any == 0;
  }
};

// A sum of products, so that no word waits for the one before it.
inline std::uint32_t pattern_hash(const LockRow& row) {
  std::uint32_t hash = 0, factor = 0x9E3779B1u; // the golden ratio, as of Knuth; odd multiples of it
  for (Index i = 0; i + 1 < row.count; i++, factor += 2 * 0x9E3779B1u)
    hash += row.words[i] * factor;
  return hash + row.word(row.count - 1) * factor;
}

inline bool same_pattern(const LockRow& a, const LockRow& b) {
  std::uint32_t differing = a.word(a.count - 1) ^ b.word(b.count - 1);
  for (Index i = 0; i + 1 < a.count; i++)
    differing |= a.words[i] ^ b.words[i];
  return differing == 0;
}

inline Index free_columns(const LockRow& row, Index k) {
  Index locked = 0;
  for (Index i = 0; i < row.count; i++)
    locked += __builtin_popcount(row.word(i));
  return k - locked;
}

// Lists of columns are whole tiles long, of either kind.
constexpr Index kListStep = Index{kSparseStep} * kLanes;
static_assert(kListStep % kColumns == 0);

// Repeats the last of `count` columns up to a whole tile.
inline void repeat_last(std::int32_t* columns, Index count) {
  for (Index i = count; count > 0 && i < round_up(count, kListStep); i++)
    columns[i] = columns[count - 1];
}

// Writes the columns whose bit in `wanted` is set and that are not locked, ascending, the last one repeated
// up to a whole tile. Returns their number.
inline Index list_columns(const std::uint32_t* wanted, const LockRow& row, std::int32_t* columns) {
  Index count = 0;
  for (Index i = 0; i < row.count; i++)
    for (std::uint32_t free = ~row.words[i] & wanted[i]; free != 0; free &= free - 1)
      columns[count++] = static_cast<std::int32_t>(32 * i + __builtin_ctz(free));
  repeat_last(columns, count);
  return count;
}

// Whether the first `wanted` columns of a list are a run, of which `count` are not repetitions
// of the last one.
inline bool follow_each_other(const std::int32_t* columns, Index wanted, Index count) {
  return count >= wanted && columns[wanted - 1] - columns[0] == wanted - 1;
}

// The classes of rows [begin, end), in scratch that the caller gives.
class LockClasses {
public:
  // 32-bit words of scratch for `rows` rows.
  static constexpr Index scratch(Index rows) { return 5 * rows + 1 + buckets(rows); }

  LockClasses(const std::uint32_t* locks, Index k, Index begin, Index end, std::int32_t* scratch_words)
      : locks_(locks), k_(k), begin_(begin), rows_(end - begin), order_(scratch_words),
        places_(order_ + rows_), starts_(places_ + rows_), first_(starts_ + rows_ + 1),
        hashes_(first_ + rows_), table_(hashes_ + rows_) {
    group();
    arrange();
  }

  // Classes that have a list of columns; the rows from start(count()) to end() have none.
  Index count() const { return count_; }
  Index start(Index one) const { return starts_[one]; }
  Index end() const { return end_; }
  // Rows of the matrix in the order of their classes; rows without a free column are missing.
  const std::int32_t* order() const { return order_; }
  // The place in that order of row begin + i, or -1.
  Index place(Index i) const { return places_[i]; }
  LockRow pattern(Index one) const { return LockRow(locks_, order_[starts_[one]], k_); }

private:
  static constexpr Index buckets(Index rows) {
    Index size = 16;
    while (size < 2 * rows)
      size *= 2;
    return size;
  }

  // The class of every row in places_, the first row and the number of rows of every class.
  void group() {
    const Index mask = buckets(rows_) - 1;
    for (Index i = 0; i <= mask; i++)
      table_[i] = -1;
    for (Index i = 0; i < rows_; i++) {
      const LockRow row(locks_, begin_ + i, k_);
      const std::uint32_t hash = pattern_hash(row);
      Index bucket = static_cast<Index>(hash >> 7) & mask;
      for (;; bucket = (bucket + 1) & mask) {
        const std::int32_t one = table_[bucket];
        if (one < 0) {
          table_[bucket] = static_cast<std::int32_t>(count_);
          first_[count_] = static_cast<std::int32_t>(i);
          hashes_[count_] = static_cast<std::int32_t>(hash);
          starts_[count_] = 0;
          count_++;
          break;
        }
        if (hashes_[one] == static_cast<std::int32_t>(hash) &&
            same_pattern(row, LockRow(locks_, begin_ + first_[one], k_)))
          break;
      }
      places_[i] = table_[bucket];
      starts_[table_[bucket]]++;
    }
  }

  // Gives every class that pays its run of places, then the rows of the others;
  // -1 to rows without free columns.
  void arrange() {
    Index kept = 0, next = 0;
    constexpr std::int32_t kNone = -1, kMixed = -2;
    for (Index one = 0; one < count_; one++) {
      const Index rows = starts_[one];
      const Index free = free_columns(LockRow(locks_, begin_ + first_[one], k_), k_);
      const bool pays = free > 0 && pays_for_packing(rows, free, k_);
      // first_ now says where the next row of the class goes; starts_ is written behind where it is read.
      first_[one] = free == 0 ? kNone : pays ? static_cast<std::int32_t>(next) : kMixed;
      if (pays) {
        starts_[kept++] = static_cast<std::int32_t>(next);
        next += rows;
      }
    }
    count_ = kept;
    starts_[kept] = static_cast<std::int32_t>(next);
    for (Index i = 0; i < rows_; i++) {
      std::int32_t& place = first_[places_[i]];
      places_[i] = place >= 0 ? place++ : place == kNone ? -1 : static_cast<std::int32_t>(next++);
      if (places_[i] >= 0)
        order_[places_[i]] = static_cast<std::int32_t>(begin_ + i);
    }
    end_ = next;
  }

  const std::uint32_t* locks_;
  Index k_, begin_, rows_;
  std::int32_t *order_, *places_, *starts_, *first_, *hashes_, *table_;
  Index count_ = 0, end_ = 0;
};

} // namespace
} // namespace milliner::MILLINER_SET
