// What a kernel is to those who launch it: a cost estimate and a function over a range of independent items.
#pragma once

#include <cstddef>
#include <cstdint>

namespace milliner {

using Index = std::int64_t;

// Items begin <= i < end of a kernel's work. An item is the smallest piece that a thread may take alone:
// whole tiles, never a part of a chain, so any split gives the same bits.
struct Range {
  Index begin;
  Index end;
};

struct Work {
  Index items;           // independent items; 0 when there is nothing to do
  double nanoseconds;    // estimated time of all items on one thread; below 50 us nothing is split
  std::size_t workspace; // floats of scratch that each thread needs, 64-byte aligned
};

template <class Args> struct Kernel {
  Work (*work)(const Args& args) noexcept;
  void (*run)(const Args& args, Range items, float* workspace) noexcept;
};

// Rates for the estimates: a fused multiply-add on 8 lanes of one Zen 3 core at 3.2 GHz, and its share of
// DRAM. Only the decision whether to split depends on them.
constexpr double kFlopsPerNanosecond = 80;
constexpr double kBytesPerNanosecond = 15;

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
constexpr Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }
constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }
constexpr Index larger(Index a, Index b) { return a < b ? b : a; }

// The length of the blocks into which a chain is cut: at most `most`, a multiple of 16 (a cache line), and no
// short rest at the end, which would pay a block's overhead for a few steps.
constexpr Index even_blocks(Index length, Index most) {
  return round_up(ceil_div(length, larger(ceil_div(length, most), 1)), 16);
}

} // namespace milliner
