// Batch normalisation of channels, with a fused ReLU, and its gradients.
// Source: Ioffe and Szegedy 2015, algorithm 1.
//
//   statistics   mean = sum over rows of x / rows, variance = sum over rows of (x - mean)^2 / rows
//   forward      y = (x - mean) scale + beta, scale = gamma root, root = 1 / sqrt(variance + epsilon);
//                with relu y <= 0 ? +0 : y
//   backward     g = dy, with relu +0 where forward's y is <= 0 (a NaN is not)
//                dbeta = sum over rows of g, dgamma = root (sum over rows of g (x - mean))
//                dx = scale (g - dbeta / rows - (x - mean) root dgamma / rows) in training;
//                dx = scale g else, where mean and variance are constants
//
// The variance is the biased one, which normalises in training; running statistics want rows / (rows - 1) of
// it. The backward computes forward's y anew, with its bits, instead of reading it: it is bound by memory,
// and a stream less is a fifth less.
//
// Shapes   x, y, dy, dx [rows, channels], rows = images x pixels; the others [channels]. No overlap, but dx
//          may be dy. The statistics need a row.
// Bits     depend on the shape only. Rows are taken in chunks of 64, ascending.
//          Statistics: in a chunk m = (chain of + x) / size and q = chain of fma(x - m, x - m), both from +0.
//          The first chunk's are mean and squares; a later one, behind `before` rows, is merged (Chan, Golub
//          and LeVeque 1983): d = m - mean, mean = fma(d, float32(size / (before + size)), mean),
//          squares = squares + fma(d d, float32(before size / (before + size)), q).
//          At the end variance = squares / float32(rows).
//          Forward: y = fma(x - mean, scale, beta).
//          Backward: in a chunk chains of + g and of fma(g, x - mean) from +0, then the chunks' sums
//          ascending; dgamma = sum root + 0, dbeta = sum + 0;
//          dx = fma(g, scale, fma(x - mean, slope, offset)) with
//          slope = ((-scale) root) (dgamma / float32(rows)), offset = (-scale) (dbeta / float32(rows)).
// Error    |mean - exact| <= (66 + 3 chunks) 2^-24 max |x|.
// Cost     statistics read x once, forward reads x and writes y, backward reads dy and x twice and writes dx.
#pragma once

#include "kernels/work.h"

namespace milliner {

struct BatchNormStatistics {
  const float* x;
  float* mean;
  float* variance;
  Index rows, channels;
};

struct BatchNormForward {
  const float* x;
  const float* mean;
  const float* variance;
  const float* gamma;
  const float* beta;
  float* y;
  Index rows, channels;
  double epsilon; // > 0
  bool relu;
};

struct BatchNormBackward {
  const float* dy;
  const float* x;
  const float* mean;
  const float* variance;
  const float* gamma;
  const float* beta;
  float* dx;
  float* dgamma;
  float* dbeta;
  Index rows, channels;
  double epsilon; // > 0
  bool relu;
  bool training; // mean and variance are those of x, so that its gradient runs through them
};

} // namespace milliner
