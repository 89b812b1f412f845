// Reference of optimizer_step.h: one element at a time. In float it has the kernels' bits, in double it is
// what they approximate.
#pragma once

#include "kernels/optimizer_step.h"

#include <cmath>

namespace milliner {

inline bool is_locked_ref(const std::uint32_t* locks, Index columns, Index row, Index column) {
  return locks && (locks[row * lock_words(columns) + (column >> 5)] >> (column & 31) & 1u);
}

// A weight and its state: the velocity, or mean and square.
template <class T> struct Element {
  T w, first, second;
};

template <class T> Element<T> momentum_ref(const MomentumFactors& factors, T g, Element<T> e, bool velocity) {
  const T momentum = factors.momentum;
  const T decayed = factors.decay == 0 ? g : std::fma(static_cast<T>(factors.decay), e.w, g);
  if (velocity)
    e.first = std::fma(momentum, e.first, decayed);
  const T moved = velocity ? e.first : decayed;
  const T along = factors.nesterov && velocity ? std::fma(momentum, moved, decayed) : moved;
  e.w = std::fma(-static_cast<T>(factors.lr), along, e.w);
  return e;
}

template <class T> Element<T> adam_ref(const AdamFactors& factors, T g, Element<T> e) {
  const T decayed = factors.decay == 0 ? g : std::fma(static_cast<T>(factors.decay), e.w, g);
  e.first = std::fma(static_cast<T>(factors.mean_share), decayed - e.first, e.first);
  e.second = std::fma(static_cast<T>(factors.square_share) * decayed, decayed,
                      static_cast<T>(factors.square_keep) * e.second);
  const T root =
      std::fma(std::sqrt(e.second), static_cast<T>(factors.correction), static_cast<T>(factors.epsilon));
  e.w = std::fma(-static_cast<T>(factors.step), e.first / root, static_cast<T>(factors.shrink) * e.w);
  return e;
}

} // namespace milliner
