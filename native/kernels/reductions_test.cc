#include "kernels/reductions_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

CASE("sum and sum_squares add in the stated order, for any length and split") {
  for (const Index n : {0, 1, 15, 16, 17, 4095, 4096, 4097, 20000}) {
    Numbers numbers(static_cast<unsigned>(n));
    const Floats x(n, numbers);
    const Index chunks = ceil_div(n, kSumChunk);
    Floats totals(chunks);
    test::Guarded<double> squares(chunks);

    RUN(sum, (Sum{x.data(), totals.data(), n}), 3);
    RUN(sum_squares, (SumSquares{x.data(), squares.data(), n}), 2);

    const float sum = add_ascending(totals.data(), chunks);
    const double square = add_ascending(squares.data(), chunks);
    const auto expected = sum_ref<float>(n, [&](Index i) { return x[i]; });
    const auto expected_square =
        sum_ref<double>(n, [&](Index i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
    CHECK(test::same_bits(&sum, &expected, 1));
    CHECK(std::memcmp(&square, &expected_square, sizeof square) == 0);
    double exact = 0, magnitude = 0;
    for (Index i = 0; i < n; i++) {
      exact += static_cast<double>(x[i]);
      magnitude += std::abs(static_cast<double>(x[i]));
    }
    CHECK(std::abs(static_cast<double>(sum) - exact) <= test::chain_bound(256 + 4 + chunks, magnitude));
    CHECK(totals.intact() && squares.intact());
  }
}

CASE("column_sum adds the rows of a unit in blocks of 4096, ascending, and a shorter one in one chain") {
  for (const Index units : test::sizes_up_to(130))
    for (const Index rows : {0, 1, 37, 4095, 4096, 4097, 8192, 8193}) {
      if (rows > 37 && units % 16 > 1)
        continue;
      Numbers numbers(static_cast<unsigned>(units));
      const Floats x(rows * units, numbers);
      Floats out(units, 3);

      RUN(column_sum, (ColumnSum{x.data(), out.data(), rows, units}), 2);

      std::vector<float> expected;
      for (Index unit = 0; unit < units; unit++) {
        expected.push_back(
            block_sum_ref(rows, [&](float sum, Index row) { return sum + x[row * units + unit]; }));
        float chain = 0;
        for (Index row = 0; row < rows; row++)
          chain = chain + x[row * units + unit];
        chain = chain + 0.0f;
        CHECK(rows > kSumChunk || test::same_bits(&out[unit], &chain, 1));
      }
      CHECK(test::same_bits(out.data(), expected.data(), units));
      CHECK(out.intact());
    }
}

CASE("column_sum of a million terms of one sign stays within the bound of its blocks") {
  const Index rows = 1000000;
  Floats x(rows), out(1);
  double exact = 0;
  Numbers numbers(4);
  for (Index i = 0; i < rows; i++)
    exact += static_cast<double>(x[i] = 0.1f + static_cast<float>(numbers.below(1000)) * 1e-6f);

  RUN(column_sum, (ColumnSum{x.data(), out.data(), rows, 1}), 1);

  const double error = std::abs(static_cast<double>(out[0]) - exact);
  CHECK(error <= test::chain_bound(block_sum_roundings(rows), exact));
  CHECK(error <= 1e-5 * exact); // one chain is off by 1e-2
}

CASE("all_finite finds one bad element wherever it lies") {
  for (const Index n : {1, 7, 40, 65536, 65537, 140000})
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()})
      for (const Index at : {Index{-1}, Index{0}, n / 2, n - 1}) {
        Numbers numbers(static_cast<unsigned>(n));
        Floats x(n, numbers);
        if (at >= 0)
          x[at] = bad;
        const Index chunks = ceil_div(n, kFiniteChunk);
        test::Guarded<std::uint32_t> found(chunks);

        RUN(all_finite, (AllFinite{x.data(), found.data(), n}), 2);

        CHECK(any_found(found.data(), chunks) == (at >= 0));
        CHECK(found.intact());
      }
}
