// Tests of all kernels on one instruction set: the one that MILLINER_ISA names, or the best. Returns 77 where
// this machine does not run it. An argument selects the cases whose name contains it; MILLINER_SOAK runs them so
// many times, on other numbers each time.
#include "dispatch/isa.h"
#include "kernels/flush_mode.h"
#include "test/kernel_test.h"

#include <cstdlib>
#include <set>

namespace test {
namespace {

std::set<std::string>& tested() {
  static std::set<std::string> names;
  return names;
}

int round = 0;

} // namespace

Numbers::Numbers(unsigned seed) : random_(seed + 1000003u * static_cast<unsigned>(round)) {}

const milliner::Table& table() { return *milliner::chosen_table().table; }

void mark_tested(const char* kernel) { tested().insert(kernel); }

float Numbers::next() {
  const auto unit = static_cast<float>(static_cast<std::int32_t>(random_())) / 2147483648.0f;
  switch (random_() % 16) {
  case 0:
    return 0.0f;
  case 1:
    return -0.0f;
  case 2:
    return unit * 1e-18f; // two of these multiply to a subnormal: flushed
  case 3:
    return unit * 64.0f;
  default:
    return unit;
  }
}

bool same_bits(const float* a, const float* b, Index n) {
  for (Index i = 0; i < n; i++)
    if (std::memcmp(a + i, b + i, 4) != 0 && !(a[i] != a[i] && b[i] != b[i])) {
      std::printf("  element %lld of %lld: %.9g is not %.9g\n", static_cast<long long>(i),
                  static_cast<long long>(n), static_cast<double>(a[i]), static_cast<double>(b[i]));
      return false;
    }
  return true;
}

std::vector<Index> sizes_up_to(Index most) {
  std::vector<Index> sizes;
  for (const Index size : {0,  1,  2,  3,  4,  5,  6,  7,  11, 12,  13,  15,  16,  17,  23,  25, 31,
                           32, 33, 47, 48, 49, 63, 64, 65, 97, 127, 129, 255, 256, 257, 351, 353})
    if (size <= most)
      sizes.push_back(size);
  return sizes;
}

} // namespace test

int main(int count, char** arguments) {
  const milliner::Choice& choice = milliner::chosen_table();
  if (!choice.table) {
    std::printf("skipped: %s\n", choice.error.c_str());
    return 77;
  }
  std::printf("instruction set %s\n", choice.table->name);
  const milliner::FlushMode flush;
  const char* filter = count > 1 ? arguments[1] : nullptr;
  if (!filter)
    check::cases().push_back({"every kernel of the list is tested", [] {
#define MILLINER_TESTED(kernel, Args, js)                                                                    \
  if (!test::tested().count(#kernel))                                                                        \
    check::fail(__FILE__, __LINE__, "no test runs " #kernel);
                                MILLINER_KERNELS(MILLINER_TESTED)
#undef MILLINER_TESTED
                              }});
  const char* soak = std::getenv("MILLINER_SOAK");
  const int rounds = soak ? std::atoi(soak) : 1;
  for (test::round = 0; test::round < rounds; test::round++)
    if (check::run(filter) != 0) {
      std::printf("in round %d of %d\n", test::round + 1, rounds);
      return 1;
    }
  return 0;
}
