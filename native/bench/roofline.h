// The two roofs over every kernel, sampled beside it on the same threads: the multiply-adds that the
// registers can do, and the bytes that can be read from an array of the operand's own size (L2, L3 and memory
// differ by four times).
#pragma once

#include "kernels/table.h"
#include "threads/pool.h"

namespace bench {

// Seconds of the calling thread's CPU clock when `pool` has one thread, so that other load on the machine
// does not enter, of the wall clock when it has more.
double now(const milliner::Pool& pool);

// Floating-point operations per second of a register-only loop, on all threads of `pool` together.
double sample_peak(const milliner::Table& table, milliner::Pool& pool);

// Seconds that `pool`'s threads need to read `floats` floats, each a share of its own.
double sample_read(const milliner::Table& table, milliner::Pool& pool, const float* data,
                   milliner::Index floats);

} // namespace bench
