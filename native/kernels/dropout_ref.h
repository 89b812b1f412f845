// Reference of dropout.h: one Philox4x32-10 block at a time, as Random123 writes it.
#pragma once

#include "kernels/dropout.h"

#include <array>
#include <cmath>

namespace milliner {

using PhiloxBlock = std::array<std::uint32_t, 4>;

inline PhiloxBlock philox_ref(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; round++) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

inline std::uint32_t random_word_ref(const Random& random, Index row, Index unit) {
  const PhiloxBlock block = philox_ref(
      {static_cast<std::uint32_t>(unit >> 2), static_cast<std::uint32_t>(row), random.step, random.stream},
      random.seed_low, random.seed_high);
  return block[static_cast<std::size_t>(unit & 3)];
}

inline bool is_kept_ref(const Random& random, double keep, Index row, Index unit) {
  return static_cast<double>(random_word_ref(random, row, unit)) < std::floor(keep * 4294967296.0);
}

} // namespace milliner
