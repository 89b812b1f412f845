// Other libraries' float32 products, opened at run time when the system has them, so that they can be
// measured in the same process, on the same arrays, in turns with ours.
#pragma once

#include "kernels/work.h"

#include <memory>
#include <string>
#include <vector>

namespace bench {

// A row-major product c = op(a) op(b) with c [m, n] and a contraction of length k; a row of an array that is
// not transposed is its leading dimension long.
struct Product {
  bool transpose_a, transpose_b;
  milliner::Index m, n, k;
  const float* a;
  const float* b;
  float* c;

  milliner::Index row_of_a() const { return transpose_a ? m : k; }
  milliner::Index row_of_b() const { return transpose_b ? k : n; }
};

class Peer {
public:
  virtual ~Peer() = default;
  // With version and, where the library tells, the processor core that it chose.
  virtual std::string name() const = 0;
  virtual void multiply(const Product& product) const noexcept = 0;
};

struct Peers {
  std::vector<std::unique_ptr<Peer>> installed;
  std::vector<std::string> missing; // a sentence each
};

// Opens the libraries on `threads` threads. Changes this process's environment: what a library does not offer
// as a function it reads from there, once, when it is loaded.
Peers open_peers(int threads);

} // namespace bench
