// Reference of global_average_pool.h: the stated order, one number at a time.
#pragma once

#include "kernels/global_average_pool.h"

namespace milliner {

inline float global_average_ref(const GlobalAveragePoolForward& args, Index i, Index channel) {
  float total = 0;
  for (Index from = 0; from < args.positions; from += 64) {
    float sum = 0;
    for (Index position = from; position < smaller(from + 64, args.positions); position++)
      sum = sum + args.x[(i * args.positions + position) * args.channels + channel];
    total = total + sum;
  }
  return total / static_cast<float>(args.positions) + 0.0f;
}

} // namespace milliner
