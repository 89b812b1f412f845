#include "kernels/dropout_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

CASE("the reference generator gives Random123's known answers") {
  CHECK((philox_ref({0, 0, 0, 0}, 0, 0) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK((philox_ref({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) ==
         PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((philox_ref({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
         PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

CASE("random_bits equals the reference generator word for word") {
  Numbers numbers(11);
  for (const Index units : test::sizes_up_to(300)) {
    const Index rows = 3;
    const Random random = {numbers.word(), numbers.word(), numbers.word(), numbers.word()};
    test::Guarded<std::uint32_t> out(rows * units);

    RUN(random_bits, (RandomBits{out.data(), rows, units, random}), 2);

    for (Index i = 0; i < rows * units; i++)
      CHECK(out[i] == random_word_ref(random, i / units, i % units));
    CHECK(out.intact());
  }
}

CASE("dropout keeps and scales what the reference keeps, and selects zero elsewhere") {
  Numbers numbers(12);
  for (const double keep : {1.0, 0.8, 0.5, 1e-9})
    for (const Index units : {1, 5, 31, 129, 300}) {
      const Index rows = 4;
      const Random random = {numbers.word(), 1, 2, 3};
      Floats x(rows * units, numbers), y(rows * units, 3);
      x[0] = std::numeric_limits<float>::infinity();

      RUN(dropout, (Dropout{x.data(), y.data(), rows, units, keep, random}), 3);

      const auto scale = static_cast<float>(1 / keep);
      std::vector<float> expected;
      for (Index i = 0; i < rows * units; i++)
        expected.push_back(is_kept_ref(random, keep, i / units, i % units) ? x[i] * scale : 0.0f);
      CHECK(test::same_bits(y.data(), expected.data(), rows * units));
      CHECK(y.intact());
    }
}

CASE("dropout counts a unit by its number in the full layer") {
  Numbers numbers(13);
  for (const double share : {1.0, 0.5, 0.02})
    for (const Index whole : {1, 40, 700}) {
      std::vector<std::uint32_t> listed;
      for (Index unit = 0; unit < whole; unit++)
        if (numbers.chance(share))
          listed.push_back(static_cast<std::uint32_t>(unit));
      const auto units = static_cast<Index>(listed.size());
      const Index rows = 3;
      const Random random = {numbers.word(), 1, 2, 3};
      const Floats x(rows * whole, numbers);
      Floats all(rows * whole), some(rows * units), y(rows * units, 3);
      for (Index i = 0; i < rows * units; i++)
        some[i] = x[i / units * whole + listed[static_cast<std::size_t>(i % units)]];

      RUN(dropout, (Dropout{x.data(), all.data(), rows, whole, 0.5, random}), 1);
      RUN(dropout, (Dropout{some.data(), y.data(), rows, units, 0.5, random, listed.data()}), 2);

      for (Index i = 0; i < rows * units; i++)
        CHECK(
            test::same_bits(&y[i], &all[i / units * whole + listed[static_cast<std::size_t>(i % units)]], 1));
      CHECK(y.intact());
    }
}
