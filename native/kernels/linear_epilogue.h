// What follows the product in the forward of a fully connected layer (linear_forward.h): the same arithmetic,
// whatever the product was computed with.
#pragma once

#include "kernels/linear_forward.h"
#include "kernels/philox.h"
#include "kernels/rectifier.h"

namespace milliner::MILLINER_SET {
namespace {

struct Epilogue {
  const LinearForward& args;
  Keep keep;

  // Finishes units [unit, unit + count) of `row`, whose chains lie in y. count <= kForwardGroup.
  MILLINER_INLINE void finish(Index row, Index unit, Index count) const {
    std::uint32_t words[philox_words(kForwardGroup)];
    if (args.drop && args.numbers)
      philox_listed(args.random, static_cast<std::uint32_t>(row), args.numbers + unit, count, words);
    else if (args.drop)
      philox_row(args.random, static_cast<std::uint32_t>(row), unit, count, words);
    float* y = args.y + row * args.m + unit;
    float* h = args.h ? args.h + row * args.m + unit : nullptr;
    for_vectors(0, count, [&](Index i, Index lanes) {
      F v = load_first(y + i, lanes) + F{}; // -0 of a flushed chain becomes +0
      if (args.bias)
        v = v + load_first(args.bias + unit + i, lanes);
      if (args.relu)
        v = rectified(v);
      if (args.drop)
        v = drop(keep, load(words + i), v);
      if (h)
        store_first(h + i, v, lanes);
      if (args.gate) {
        const F gate = load_first(args.gate + unit + i, lanes);
        v = gate == F{} ? F{} : v * gate;
      }
      store_first(y + i, v, lanes);
    });
  }
};

} // namespace
} // namespace milliner::MILLINER_SET
