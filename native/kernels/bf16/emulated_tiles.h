// The tile registers of tile_unit.h in portable C++. Flush-to-zero is set by the caller, as for every kernel;
// AMX flushes by itself.
#pragma once

namespace milliner::MILLINER_SET {
namespace {

class Tiles {
public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int T> void clear() { copy(T, nullptr, 0); }
  template <int T> void load(const float* from, Index ld) { copy(T, from, ld); }
  template <int T> void store(float* to, Index ld) const {
    for (Index row = 0; row < kTileSide; row++)
      for (Index j = 0; j < kTileSide; j += kLanes)
        milliner::MILLINER_SET::store(reinterpret_cast<std::uint32_t*>(to + row * ld + j),
                                      milliner::MILLINER_SET::load(word(T, row, j)));
  }
  template <int C, int A, int B> void multiply() { accumulate(C, A, B); }

private:
  using U32 = std::uint32_t;

  const U32* word(int t, Index row, Index j) const { return tiles_[t] + row * kTileSide + j; }
  U32* word(int t, Index row, Index j) { return tiles_[t] + row * kTileSide + j; }

  void copy(int t, const float* from, Index ld) {
    for (Index row = 0; row < kTileSide; row++)
      for (Index j = 0; j < kTileSide; j += kLanes)
        milliner::MILLINER_SET::store(
            word(t, row, j),
            from ? milliner::MILLINER_SET::load(reinterpret_cast<const U32*>(from + row * ld + j)) : U{});
  }

  // The two bf16 of a word as float32: the first in memory is the lower half.
  static F first(U pair) { return (F)(pair << 16); }
  static F second(U pair) { return (F)(pair & 0xFFFF0000u); }

  void accumulate(int c, int a, int b) {
    for (Index row = 0; row < kTileSide; row++)
      for (Index j = 0; j < kTileSide; j += kLanes) {
        F even{}, odd{};
        for (Index p = 0; p < kTileSide; p++) {
          const U left = splat(*word(a, row, p)), right = milliner::MILLINER_SET::load(word(b, p, j));
          even = fma(first(left), first(right), even);
          odd = fma(second(left), second(right), odd);
        }
        U32* sum = word(c, row, j);
        milliner::MILLINER_SET::store(sum, (U)((F)milliner::MILLINER_SET::load(sum) + (even + odd)));
      }
  }

  alignas(64) U32 tiles_[8][kTileFloats];
};

} // namespace
} // namespace milliner::MILLINER_SET
