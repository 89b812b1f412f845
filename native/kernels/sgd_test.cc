#include "kernels/linear_weight_ref.h"
#include "kernels/sgd.h"
#include "test/kernel_test.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace milliner;
using test::Floats, test::Numbers;

CASE("sgd is one fma per free element and leaves locked ones as they were") {
  for (const Index columns : test::sizes_up_to(130))
    for (const bool locked : {false, true}) {
      const Index rows = 5;
      Numbers numbers(static_cast<unsigned>(columns));
      Floats w(rows * columns, numbers), g(rows * columns, numbers, 3);
      test::Guarded<std::uint32_t> locks(rows * lock_words(columns));
      for (Index i = 0; i < locks.size(); i++)
        locks[i] = numbers.chance(0.3) ? 0u : (numbers.chance(0.3) ? ~0u : numbers.word());
      const std::uint32_t* bits = locked ? locks.data() : nullptr;
      std::vector<float> expected;
      for (Index i = 0; i < rows * columns; i++)
        expected.push_back(
            is_locked_ref(bits, columns, i / columns, i % columns) ? w[i] : std::fma(-0.1f, g[i], w[i]));

      RUN(sgd, (Sgd{w.data(), g.data(), 0.1f, bits, rows, columns}), 2);

      CHECK(test::same_bits(w.data(), expected.data(), rows * columns));
      CHECK(w.intact());
    }
}

#if defined(__linux__)
CASE("sgd does not touch a write-protected page whose elements are locked") {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto columns = static_cast<Index>(page / 4);
  void* pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  auto* w = static_cast<float*>(pages);
  mprotect(w, page, PROT_READ);
  Numbers numbers(1);
  const Floats g(2 * columns, numbers);
  std::vector<std::uint32_t> locks(static_cast<std::size_t>(2 * lock_words(columns)));
  std::fill(locks.begin(), locks.begin() + lock_words(columns), ~0u);

  RUN(sgd, (Sgd{w, g.data(), 1, locks.data(), 2, columns}), 1);

  for (Index i = 0; i < 2 * columns; i++)
    CHECK(w[i] == (i < columns ? 0 : -g[i]));
  munmap(pages, 2 * page);
}
#endif
