// Which instruction set runs: the best one that this machine and its operating system support, or the one
// that the environment variable MILLINER_ISA names.
#pragma once

#include "kernels/table.h"

#include <string>
#include <vector>

namespace milliner {

// Tables that were compiled for this architecture, best first.
const std::vector<const Table*>& compiled_tables();

// Whether the processor has the set's instructions and the operating system saves its registers.
bool is_runnable(const Table& table);

struct Choice {
  const Table* table; // null when `error` says why
  std::string reason;
  std::string error;
};

// `forced`: a set's name, or null or empty for the best one. An unknown or unsupported name is an error that
// names what this machine runs; nothing falls back silently.
Choice choose_table(const char* forced);

// choose_table of MILLINER_ISA, made once per process.
const Choice& chosen_table();

} // namespace milliner
