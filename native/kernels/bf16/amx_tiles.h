// The tile registers of tile_unit.h by AMX-TILE and AMX-BF16.
//
// Written as assembly and not by amxtileintrin.h: there g++ 12 does not say that a tile load reads memory, so
// that a store before it could be moved behind it, and its tile numbers must be literals.
#pragma once

namespace milliner::MILLINER_SET {
namespace {

class Tiles {
public:
  Tiles() {
    // Palette 1: 8 tiles of 16 rows of 64 bytes.
    struct alignas(64) Configuration {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static_assert(sizeof(Configuration) == 64);
    const Configuration configuration;
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  // The first state again: a thread that holds tiles pays for them at every context switch.
  ~Tiles() { asm volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int T> MILLINER_INLINE void clear() { asm volatile("tilezero %%tmm%c0" ::"i"(T)); }
  template <int T> MILLINER_INLINE void load(const float* from, Index ld) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(ld * 4), "i"(T) : "memory");
  }
  template <int T> MILLINER_INLINE void store(float* to, Index ld) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(ld * 4), "i"(T) : "memory");
  }
  template <int C, int A, int B> MILLINER_INLINE void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
};

} // namespace
} // namespace milliner::MILLINER_SET
