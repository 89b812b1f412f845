// What every kernel's test needs: the table under test, guarded and poisoned buffers, runs in several parts.
#pragma once

#include "kernels/table.h"
#include "test/check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace test {

using milliner::Index;

// The set that MILLINER_ISA names, or the best one; and the portable one, against which bits are compared.
const milliner::Table& table();

// Names of the kernels that some test ran: main.cc compares them with the list.
void mark_tested(const char* kernel);

// Numbers that stress a chain: mostly of the order of 1, some tiny, some exactly zero of either sign. Other ones in each round.
class Numbers {
public:
  explicit Numbers(unsigned seed);
  float next();
  Index below(Index end) { return static_cast<Index>(random_() % static_cast<unsigned>(end)); }
  bool chance(double probability) { return std::uniform_real_distribution<>(0, 1)(random_) < probability; }
  std::uint32_t word() { return static_cast<std::uint32_t>(random_()); }

private:
  std::mt19937 random_;
};

// n elements, `offset` elements off alignment, starting out as NaN, between guards that show whether anything
// else was written. Under AddressSanitizer the elements end where the allocation ends, so that it sees reads
// past them.
template <class T> class Guarded {
public:
  explicit Guarded(Index n, Index offset = 1)
      : size_(n), begin_(kFront + static_cast<std::size_t>(offset) * sizeof(T)),
        end_(begin_ + (n > 0 ? static_cast<std::size_t>(n) : 0) * sizeof(T)),
        memory_(new unsigned char[end_ + kBack]) {
    std::fill(memory_.get(), memory_.get() + end_ + kBack, kPattern);
    poison();
  }
  Guarded(Index n, Numbers& numbers, Index offset = 1) : Guarded(n, offset) {
    for (Index i = 0; i < n; i++)
      data()[i] = static_cast<T>(numbers.next());
  }
  T* data() { return reinterpret_cast<T*>(memory_.get() + begin_); }
  const T* data() const { return reinterpret_cast<const T*>(memory_.get() + begin_); }
  T& operator[](Index i) { return data()[i]; }
  const T& operator[](Index i) const { return data()[i]; }
  Index size() const { return size_; }
  void poison() { std::fill(memory_.get() + begin_, memory_.get() + end_, static_cast<unsigned char>(0xFF)); }

  bool intact() const {
    for (std::size_t i = 0; i < end_ + kBack; i++)
      if ((i < begin_ || i >= end_) && memory_[i] != kPattern)
        return false;
    return true;
  }

private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t kBack = 0;
#else
  static constexpr std::size_t kBack = 64;
#endif
  static constexpr std::size_t kFront = 64;
  static constexpr unsigned char kPattern = 0xA5;
  Index size_;
  std::size_t begin_, end_;
  std::unique_ptr<unsigned char[]> memory_;
};

using Floats = Guarded<float>;

// Puts a zero of either sign in the place of elements, with this probability.
inline void put_zeros(Floats& values, Numbers& numbers, double probability) {
  for (Index i = 0; i < values.size(); i++)
    if (numbers.chance(probability))
      values[i] = numbers.chance(0.5) ? 0.0f : -0.0f;
}

// Puts NaN or an infinity in the place of elements, with this probability.
inline void put_non_finite(Floats& values, Numbers& numbers, double probability) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (Index i = 0; i < values.size(); i++)
    if (numbers.chance(probability))
      values[i] = numbers.chance(0.5)   ? std::numeric_limits<float>::quiet_NaN()
                  : numbers.chance(0.5) ? kInfinity
                                        : -kInfinity;
}

// Equal bits; any NaN equals any NaN (which payload survives differs between processors).
bool same_bits(const float* a, const float* b, Index n);

// Runs all items of a kernel in `parts` parts, each with poisoned scratch of exactly the size
// that it asked for.
template <class Args> void run_parts(const milliner::Kernel<Args>& kernel, const Args& args, Index parts) {
  const milliner::Work work = kernel.work(args);
  for (Index p = 0; p < parts; p++) {
    const milliner::Range part = {work.items * p / parts, work.items * (p + 1) / parts};
    if (part.begin == part.end)
      continue;
    Guarded<float> scratch(static_cast<Index>(work.workspace), 0);
    kernel.run(args, part, scratch.data());
    CHECK(scratch.intact());
  }
}

// 0, 1 and the neighbours of the sizes of tiles, panels and blocks of all sets,
// as far as they are at most `most`.
std::vector<Index> sizes_up_to(Index most);

// Bound of section 3.8: a chain of `length` terms whose absolute values sum up to `magnitude`.
inline double chain_bound(Index length, double magnitude) {
  return static_cast<double>(length + 2) * std::ldexp(1.0, -24) * magnitude + std::ldexp(1.0, -120);
}

} // namespace test

// Runs a kernel of the table under test.
#define RUN(kernel, args, parts)                                                                             \
  (test::mark_tested(#kernel), test::run_parts(test::table().kernel, args, parts))
// The same on the portable set.
#define RUN_SCALAR(kernel, args) test::run_parts(milliner::scalar::table.kernel, args, 1)
