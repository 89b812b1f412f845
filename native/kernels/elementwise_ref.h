// Reference of the elementary functions: the C library in long double, and distances in ulp.
#pragma once

#include <cmath>

namespace milliner {

inline long double sigmoid_ref(long double x) { return 1 / (1 + std::exp(-x)); }

// Distance of a float from the exact value, in units in the last place of the float nearest to it.
inline double ulps(float result, long double exact) {
  int exponent = 0;
  std::frexp(static_cast<double>(exact), &exponent);
  return static_cast<double>(std::abs(static_cast<long double>(result) - exact)) /
         std::ldexp(1.0, exponent - 24);
}

} // namespace milliner
