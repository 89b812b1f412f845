// Flush-to-zero and denormals-are-zero for the lifetime of a value;
// the caller's mode comes back exactly as it was.
//
// Set at the entry of every exported function and once per pool thread, not per kernel (11 ns on Zen 3). The
// arithmetic of all kernels is defined with subnormals read and written as zero (DESIGN section 3, exactness,
// item 4).
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#error "milliner's kernels need x86-64 or arm64: elsewhere it is unknown how subnormals are flushed"
#endif

namespace milliner {

class FlushMode {
public:
  FlushMode() noexcept : saved_(read()) { write(saved_ | kFlush); }
  ~FlushMode() { write(saved_); }
  FlushMode(const FlushMode&) = delete;
  FlushMode& operator=(const FlushMode&) = delete;

private:
#if defined(__x86_64__)
  using Word = unsigned;
  static constexpr Word kFlush = 0x8040; // MXCSR bits 15 (FTZ) and 6 (DAZ)
  static Word read() noexcept { return _mm_getcsr(); }
  static void write(Word word) noexcept { _mm_setcsr(word); }
#else
  using Word = std::uint64_t;
  static constexpr Word kFlush = Word{1} << 24; // FPCR.FZ
  static Word read() noexcept {
    Word word;
    asm volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) noexcept { asm volatile("msr fpcr, %0" ::"r"(word)); }
#endif
  Word saved_;
};

} // namespace milliner
