#include "kernels/gather_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Guarded, test::Numbers;

namespace {

// Each of `count` numbers with a probability, ascending.
std::vector<std::uint32_t> some_of(Index count, double share, Numbers& numbers) {
  std::vector<std::uint32_t> list;
  for (Index i = 0; i < count; i++)
    if (numbers.chance(share))
      list.push_back(static_cast<std::uint32_t>(i));
  return list;
}

struct Case {
  Index rows, columns;
  std::vector<std::uint32_t> taken_rows, taken_columns;

  Case(Index r, Index c, double share, Numbers& numbers)
      : rows(r), columns(c), taken_rows(some_of(r, share, numbers)),
        taken_columns(some_of(c, share, numbers)) {}
  Index dense_rows() const { return static_cast<Index>(taken_rows.size()); }
  Index dense_columns() const { return static_cast<Index>(taken_columns.size()); }
  Selection selection() const {
    return {taken_rows.data(), taken_columns.data(), dense_rows(), dense_columns(), columns};
  }
};

std::vector<Case> cases(unsigned seed) {
  Numbers numbers(seed);
  std::vector<Case> list;
  for (const Index columns : test::sizes_up_to(130))
    for (const double share : {0.0, 0.1, 0.5, 1.0})
      list.emplace_back(7, columns, share, numbers);
  return list;
}

} // namespace

CASE("gather_matrix copies the listed rows and columns, and keeps every bit") {
  Numbers numbers(31);
  for (const Case& c : cases(30)) {
    const Floats from(c.rows * c.columns, numbers);
    Floats to(c.dense_rows() * c.dense_columns(), 3);

    RUN(gather_matrix, (GatherMatrix{from.data(), to.data(), c.selection()}), 3);

    for (Index i = 0; i < c.dense_rows(); i++)
      for (Index j = 0; j < c.dense_columns(); j++)
        CHECK(
            test::same_bits(&to[i * c.dense_columns() + j], &from[whole_index_ref(c.selection(), i, j)], 1));
    CHECK(to.intact());
  }
}

CASE("scatter_matrix writes what is listed and not locked, and nothing else") {
  Numbers numbers(33);
  for (const Case& c : cases(32))
    for (const bool locked : {false, true}) {
      const Index words = lock_words(c.dense_columns());
      const Floats from(c.dense_rows() * c.dense_columns(), numbers);
      Guarded<std::uint32_t> locks(c.dense_rows() * words, 0);
      for (Index i = 0; i < locks.size(); i++)
        locks[i] = numbers.chance(0.3) ? 0 : numbers.word();
      Floats to(c.rows * c.columns, 2), expected(c.rows * c.columns);
      for (Index i = 0; i < c.dense_rows(); i++)
        for (Index j = 0; j < c.dense_columns(); j++)
          if (!locked || !bit_ref(locks.data(), c.dense_columns(), i, j))
            expected[whole_index_ref(c.selection(), i, j)] = from[i * c.dense_columns() + j];

      RUN(scatter_matrix,
          (ScatterMatrix{from.data(), locked ? locks.data() : nullptr, to.data(), c.selection()}), 3);

      CHECK(std::memcmp(to.data(), expected.data(), static_cast<std::size_t>(to.size()) * 4) == 0);
      CHECK(to.intact());
    }
}

CASE("gather_bits takes the bits of the listed rows and columns, zeros behind them") {
  Numbers numbers(35);
  for (const Case& c : cases(34)) {
    const Index words = lock_words(c.dense_columns());
    Guarded<std::uint32_t> from(c.rows * lock_words(c.columns)), to(c.dense_rows() * words);
    for (Index i = 0; i < from.size(); i++)
      from[i] = numbers.word();

    RUN(gather_bits, (GatherBits{from.data(), to.data(), c.selection()}), 2);

    for (Index i = 0; i < c.dense_rows(); i++)
      for (Index j = 0; j < words * 32; j++)
        CHECK(bit_ref(to.data(), words * 32, i, j) ==
              (j < c.dense_columns() &&
               bit_ref(from.data(), c.columns, c.taken_rows[static_cast<std::size_t>(i)],
                       c.taken_columns[static_cast<std::size_t>(j)])));
    CHECK(to.intact());
  }
}
