// The one vector type that all kernels are written in. Each kernel source is compiled once per instruction
// set with MILLINER_SET naming it; everything here lies in that set's namespace and has internal linkage, so
// the linker can never give one set's copy of a function to another (an AVX-512 copy on an AVX2 machine is an
// illegal instruction).
//
// F, I, U hold kLanes floats, signed and unsigned 32-bit integers. Arithmetic, comparisons and `mask ? a : b`
// are the compiler's own vector operators (g++ and clang); what they lack is in isa/<set>.h.
#pragma once

#include "kernels/tiles.h"

#define MILLINER_INLINE inline __attribute__((always_inline))

// Before a loop over a small array of vectors: only where all its indices are constants
// is it kept in registers.
#define MILLINER_UNROLL _Pragma("GCC unroll 16")
static_assert(milliner::MILLINER_SET::kRows <= 16 && milliner::MILLINER_SET::kVectors <= 16);

namespace milliner::MILLINER_SET {
namespace {

using F = float __attribute__((vector_size(kLanes * 4)));
using I = std::int32_t __attribute__((vector_size(kLanes * 4)));
using U = std::uint32_t __attribute__((vector_size(kLanes * 4)));

using FAny = float __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
using IAny = std::int32_t __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
using UAny = std::uint32_t __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

MILLINER_INLINE F load(const float* p) { return *reinterpret_cast<const FAny*>(p); }
MILLINER_INLINE U load(const std::uint32_t* p) { return *reinterpret_cast<const UAny*>(p); }
MILLINER_INLINE void store(float* p, F v) { *reinterpret_cast<FAny*>(p) = v; }
MILLINER_INLINE void store(std::int32_t* p, I v) { *reinterpret_cast<IAny*>(p) = v; }
MILLINER_INLINE void store(std::uint32_t* p, U v) { *reinterpret_cast<UAny*>(p) = v; }

// Lane numbers 0, 1, 2, ...
MILLINER_INLINE U lane_numbers() {
  U lanes{};
  for (int i = 0; i < kLanes; i++)
    lanes[i] = static_cast<std::uint32_t>(i);
  return lanes;
}

} // namespace
} // namespace milliner::MILLINER_SET

#if defined(MILLINER_SET_AVX512)
#include "kernels/isa/avx512.h"
#elif defined(MILLINER_SET_AVX2)
#include "kernels/isa/avx2.h"
#elif defined(MILLINER_SET_NEON)
#include "kernels/isa/neon.h"
#else
#include "kernels/isa/scalar.h"
#endif

namespace milliner::MILLINER_SET {
namespace {

// Lanes whose bit is set, as a mask of all ones or all zeros.
MILLINER_INLINE I lanes_of(std::uint32_t bits) {
  const U bit = splat(1u) << lane_numbers();
  return (splat(bits) & bit) != U{};
}

// Bit i is lane i of the mask.
MILLINER_INLINE std::uint32_t bits_of(I mask) {
  const I bits = mask & (I)(splat(1u) << lane_numbers());
  std::uint32_t all = 0;
  for (int i = 0; i < kLanes; i++)
    all |= static_cast<std::uint32_t>(bits[i]);
  return all;
}

// The first `count` lanes of p, the others +0; memory past p[count - 1] is not touched. 0 <= count <= kLanes.
MILLINER_INLINE F load_first(const float* p, Index count) {
  return count == kLanes ? load(p) : load_lanes(p, lanes_of((1u << count) - 1u));
}
MILLINER_INLINE void store_first(float* p, F v, Index count) {
  if (count == kLanes)
    store(p, v);
  else
    store_lanes(p, v, lanes_of((1u << count) - 1u));
}

// Calls body(offset, lanes in use) for every vector of n elements: all but the last are full.
template <class Body> MILLINER_INLINE void for_vectors(Index begin, Index end, const Body& body) {
  Index i = begin;
  for (; i + kLanes <= end; i += kLanes)
    body(i, Index{kLanes});
  if (i < end)
    body(i, end - i);
}

} // namespace
} // namespace milliner::MILLINER_SET
