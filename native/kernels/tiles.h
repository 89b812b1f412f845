// Tile and block sizes of every instruction set.
// Included once per set, inside that set's namespace (vector.h).
//
// A tile is kRows x kColumns outputs held in registers while a chain runs; a block is what a loop around the
// tiles keeps in a cache. None of these numbers changes a bit of any result (DESIGN section 3, exactness,
// item 1).
#pragma once

#include "kernels/work.h"

namespace milliner::MILLINER_SET {

#if defined(MILLINER_SET_AVX512)
constexpr int kLanes = 16;
constexpr int kRows = 12;   // 12 x 32: 24 accumulators + 2 rows of b + 1 broadcast of a = 27 of 32 registers
constexpr int kVectors = 2; // vectors per tile row
#elif defined(MILLINER_SET_AVX2)
constexpr int kLanes = 8;
constexpr int kRows =
    6; // 6 x 16: 12 accumulators + 2 rows of b + 1 broadcast of a = 15 of AVX2's 16 registers
constexpr int kVectors = 2;
#elif defined(MILLINER_SET_NEON)
constexpr int kLanes = 4;
constexpr int kRows =
    6; // 6 x 16: 24 accumulators + 4 rows of b + 2 of a (fmla by element) = 30 of 32 registers
constexpr int kVectors = 4;
#else
constexpr int kLanes = 4;
constexpr int kRows = 4; // 4 x 4: the emulated fma needs the other 12 registers for its doubles
constexpr int kVectors = 1;
#endif

constexpr int kColumns =
    kVectors * kLanes; // outputs along the lanes of a tile; divides 32, a word of lock bits

// Rows of weights that one thread may take: whole tiles, and whole Philox blocks of 4 units.
constexpr int kRowStep = 12;
static_assert(kRowStep % kRows == 0 && kRowStep % 4 == 0);

// Forward: a panel of kForwardChain x kColumns activations is 18 KiB on AVX2, of 32 KiB of L1d; the panels of
// a batch block (kForwardBatch x kForwardChain floats, 288 KiB) stay in L2 while the weights stream past.
constexpr Index kForwardChain = 288;
constexpr Index kForwardBatch = 256;
constexpr Index kForwardOutputs = 4032; // bounds the partial chains in the workspace: 4 MiB; a multiple of 96
constexpr Index kForwardGroup =
    96; // outputs finished at a time: 6 cache lines of a row of y, whole Philox blocks
static_assert(kForwardOutputs % kForwardGroup == 0 && kForwardGroup % kRowStep == 0);

// Forward of up to kFewRows rows of the batch: lanes are units, 16 at a time and 2 vectors at least, whose
// chains wait for their own fma (latency 4) in turn. On AVX2: 8 columns of w + 8 accumulators of 4 rows. Rows
// of w whose stride puts them into one cache set are copied, kFewRowsChain steps at a time: 16 KiB.
constexpr Index kFewRows = 4;
constexpr int kFewRowsVectors = kLanes < 8 ? 16 / kLanes : 2;
constexpr Index kFewRowsChain = 256;

// Input gradient: chain block over outputs, and how far the first tile of a panel prefetches in its own
// column of w. Measured on Zen 3 at 64x2000x2000 (bench): 352 with 24 rows ahead was best of 128..512
// and 16..64.
constexpr Index kInputGradientChain = 352;
constexpr Index kInputGradientBatch = 256;
constexpr Index kInputGradientAhead = 24;

// Products with both factors packed (packed_product.h). A block of rows, 264 x 512 floats, takes half of Zen
// 4's L2, a panel all of L1: what a tile reads comes from L2 in order, and a shorter chain block costs more
// in partial chains than a panel in L1 gains (320 and 384 were 2 to 6 % slower at 1024 to 2048 cubed). A
// group of panels is packed and met while it is in L2, up to kPackedColumns stay in L3 for other blocks of
// rows. Measured on Zen 4 from 64 to 512 rows: packing pays from about 192 on, and from 64 on where the rows
// of w crowd into few cache sets.
constexpr Index kPackedChain = 512;
constexpr Index kPackedRows = 264;
constexpr Index kPackedColumns = 1024;
constexpr Index kPackedGroup = 64;
constexpr Index kPackedFrom = 192;
constexpr Index kPackedFromCrowded = 64;
static_assert(kPackedRows % kRows == 0 && kPackedColumns % kPackedGroup == 0 && kPackedGroup % kColumns == 0);

// Products computed by the terms that are not zero (sparse_product.h). On AVX2 a tile is 1 x 96: 12
// accumulators; a panel, kSparseChain x kSparseColumns, is 24 KiB, of 32 KiB of L1d. Up to kSparseColumns
// columns are finished at a time. Listing and packing pay from kSparseFrom rows on where at most kSparseShare
// of the factors are not zero. Measured on Zen 4 at 64x2000x2000: half of them 0.75 of the dense time, a
// quarter 0.45.
#if defined(MILLINER_SET_AVX512)
constexpr int kSparseVectors = 6;
#elif defined(MILLINER_SET_AVX2)
constexpr int kSparseVectors = 12;
#elif defined(MILLINER_SET_NEON)
constexpr int kSparseVectors = 16;
#else
constexpr int kSparseVectors = 4;
#endif
constexpr Index kSparseChain = 64;
constexpr Index kSparseRows = 128;
constexpr Index kSparseFrom = 32;
constexpr double kSparseShare = 0.5;
constexpr int kSparseStep = kLanes < 16 ? 4 : 2; // vectors; narrower tiles are multiples of it
static_assert(kSparseVectors * kLanes <= kForwardGroup && kSparseVectors % kSparseStep == 0);

// Weight gradient: panels of activations grouped so that a group stays in L2 (128 KiB) and every row of w is
// touched in runs of up to 2 KiB.
constexpr Index kWeightGroupBytes = 128 * 1024;
constexpr Index kWeightGroupPanels = 32;

// Convolution. A piece of a chain, kConvolutionPiece x kColumns weights, stays in L1 (18 KiB on AVX2) while
// up to kConvolutionTiles tiles pass by; the pixels that they read are a block of up to kConvolutionBlock
// floats (192 KiB, of 512 KiB of L2), which all weights of a group of output channels pass by.
constexpr Index kConvolutionPiece = 288;
constexpr Index kConvolutionTiles = 64;
constexpr Index kConvolutionBlock = 48 * 1024;
constexpr Index kConvolutionGroup = 128; // output channels; whole Philox blocks
constexpr Index kConvolutionRun = 32;    // shorter runs of a chain are gathered into patches first
static_assert(kConvolutionGroup % kColumns == 0);

// Convolution, weight gradient: a block of about this many output pixels is one piece of all chains; kColumns
// inputs of them stay in L1 (18 KiB on AVX2) while the gradients of a group of output channels pass by (up to
// 220 KiB, in L2).
constexpr Index kConvolutionPixels = 288;
constexpr Index kConvolutionRows = 192;
static_assert(kConvolutionRows % kRowStep == 0);

// Gradients of a convolution by the terms of dy (conv2d_sparse_input.h, conv2d_sparse_weight.h), where a
// sample of its pixels says that at most kSparseGradient of it are not zero. A piece of the input gradient's
// chains is kSparseConvolutionPiece steps: half as long, its weights would stay in L1, and the partial chains
// that move twice as often cost more (Zen 4, 64x14x14 64->128: 5.6 against 6.3 ms; 256 steps 7.9). The pixels
// that a block of the weight gradient reads, kSparsePixels floats, stay in L1, the partial chains of a group
// of output channels, kSparseSums floats, in L2.
constexpr Index kSampledPixels = 512;
constexpr double kSparseGradient = 0.4;
constexpr Index kSparseConvolutionPiece = 128;
constexpr Index kSparsePixels = 7 * 1024;
constexpr Index kSparseSums = 96 * 1024;

} // namespace milliner::MILLINER_SET
