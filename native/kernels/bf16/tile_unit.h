// The tile registers that the bf16 kernels compute in, and rounding to bf16: everything that differs between
// a processor with AMX and one without. Two implementations, the same operations, the same bits:
//
//   amx_tiles.h, avx512_rounding.h           the instructions, for the set `amx`
//   emulated_tiles.h, portable_rounding.h    portable C++, for `emulated`: slow,
//                                            and what the instructions mean
//
// A tile has 16 rows of 64 bytes: 16 x 16 float32, or 16 x 16 pairs of bf16, 1 KiB either way. Tiles 0 to 3
// are sums, 4 and 5 left operands, 6 and 7 right ones: 2 x 2 sums for every 4 operands loaded.
//
//   Tiles tiles;                 configures the tile registers of this thread; its destructor releases them
//   tiles.clear<T>()             all +0
//   tiles.load<T>(from, ld)      16 rows that begin ld floats (words of 4 bytes) apart
//   tiles.store<T>(to, ld)
//   tiles.multiply<C, A, B>()    C += A B, where row p of B holds the pairs b[2 p][j], b[2 p + 1][j]:
//
//     even = odd = +0
//     for p = 0 .. 15:  even = fma(a[i][2 p], b[2 p][j], even);  odd = fma(a[i][2 p + 1], b[2 p + 1][j], odd)
//     c[i][j] = c[i][j] + (even + odd)
//
//   all of it in float32, rounded to nearest even, subnormals read and written as zero.
//
//   round_row(from, count, to)           32 bf16, the first `count` from float32 and the rest +0
//   round_pairs(even, odd, count, to)    16 pairs even[j], odd[j], the first `count`, the rest +0;
//                                        without odd its halves are +0
//
// Rounding is to nearest even; a subnormal becomes a zero of its sign, a NaN a quiet NaN.
// |error| <= 2^-8 |x|: half of the last of 8 bits.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS and VCVTNE2PS2BF16.
#pragma once

#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kTileSide = 16;  // rows of a tile, and its 4-byte elements in a row
constexpr Index kTileDepth = 32; // bf16 in a row: terms of one multiply
constexpr Index kTileFloats = kTileSide * kTileSide;

} // namespace
} // namespace milliner::MILLINER_SET

#if defined(MILLINER_TILES_AMX)
#include "kernels/bf16/amx_tiles.h"
#else
#include "kernels/bf16/emulated_tiles.h"
#endif
#if defined(MILLINER_SET_AVX512)
#include "kernels/bf16/avx512_rounding.h"
#else
#include "kernels/bf16/portable_rounding.h"
#endif
