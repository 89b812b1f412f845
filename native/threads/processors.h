// How many threads the kernels use when nobody says otherwise.
#pragma once

#include <string>

namespace milliner {

struct ThreadCount {
  int count;
  std::string error; // why there is none, where count is 0
};

// `named`: a whole number from 1 to 1024, or null or empty for the processors that this process may use: its
// affinity mask, limited by the quota of its cgroup (version 1 or 2), rounded down, 1 at least. A container
// with 2 processors on a host of 64 gets 2. Anything else is an error that names it; nothing falls back silently.
ThreadCount choose_threads(const char* named);

// choose_threads of MILLINER_THREADS, made once per process.
const ThreadCount& chosen_threads();

} // namespace milliner
