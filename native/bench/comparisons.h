// Our kernels against other libraries' products, in one process, on the same arrays, in turns.
#pragma once

#include "kernels/table.h"

namespace bench {

struct ComparisonOptions {
  int threads = 1;
  int rounds = 21;
  const char* only = nullptr; // part of a case's name, or null for all
};

// Measures every case and prints a line of JSON for each as soon as it is known,
// after a first line about the peers:
//
//   {"isa", "threads", "peers": [name], "missing": [sentence]}
//   {"case", "flops", "candidates": [{"name", "seconds": [of each round]}],
//    "peaks": [flops per second in each round],
//    "reads": [seconds to read the weights in each round]}
//
// `flops` are those that our kernel does, `reads` stand where its time is that of reading the weights.
// Returns false, with a sentence on stderr, when a peer's product is not ours.
bool print_comparisons(const milliner::Table& table, const ComparisonOptions& options);

} // namespace bench
