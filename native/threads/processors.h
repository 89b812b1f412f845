// How many threads the kernels use when nobody says otherwise.
#pragma once

namespace milliner {

// MILLINER_THREADS if it is a whole number from 1 to 1024; else the processors that this process may use: its
// affinity mask, limited by the quota of its cgroup (version 1 or 2), rounded down, 1 at least. A container
// with 2 processors on a host of 64 gets 2.
int default_threads();

} // namespace milliner
