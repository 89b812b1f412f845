#include "kernels/dropout.h"

#include "kernels/philox.h"
#include "kernels/set.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kWords = 16 * kLanes; // words made at a time: a multiple of 4 * kLanes, and 1 KiB at most

// Calls body(offset in the row, words, count) for pieces of a row.
template <class Body>
MILLINER_INLINE void for_words(const Random& random, const std::uint32_t* numbers, Index row, Index units,
                               const Body& body) {
  std::uint32_t words[kWords];
  for (Index unit = 0; unit < units; unit += kWords) {
    const Index count = smaller(kWords, units - unit);
    if (numbers)
      philox_listed(random, static_cast<std::uint32_t>(row), numbers + unit, count, words);
    else
      philox_row(random, static_cast<std::uint32_t>(row), unit, count, words);
    body(unit, words, count);
  }
}

double word_nanoseconds(Index rows, Index units) {
  return 0.7 * static_cast<double>(rows) * static_cast<double>(units);
}

} // namespace

Work dropout_work(const Dropout& args) noexcept {
  return {args.units == 0 ? 0 : args.rows, word_nanoseconds(args.rows, args.units), 0};
}

void dropout_run(const Dropout& args, Range items, float*) noexcept {
  const Keep keep = keep_of(args.keep);
  for (Index row = items.begin; row < items.end; row++)
    for_words(args.random, args.numbers, row, args.units,
              [&](Index unit, const std::uint32_t* words, Index count) {
                const Index at = row * args.units + unit;
                for_vectors(0, count, [&](Index i, Index lanes) {
                  store_first(args.y + at + i,
                              drop(keep, load(words + i), load_first(args.x + at + i, lanes)), lanes);
                });
              });
}

Work random_bits_work(const RandomBits& args) noexcept {
  return {args.units == 0 ? 0 : args.rows, word_nanoseconds(args.rows, args.units), 0};
}

void random_bits_run(const RandomBits& args, Range items, float*) noexcept {
  for (Index row = items.begin; row < items.end; row++)
    for_words(args.random, nullptr, row, args.units,
              [&](Index unit, const std::uint32_t* words, Index count) {
                std::uint32_t* out = args.out + row * args.units + unit;
                for (Index i = 0; i < count; i++)
                  out[i] = words[i];
              });
}

} // namespace milliner::MILLINER_SET
