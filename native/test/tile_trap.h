// Executes the tile instructions of AMX on a processor that has none: there each is an illegal instruction,
// and a signal handler decodes and does it. So the tests run the very bytes that the kernels were assembled
// to, operands, strides and order included, wherever they run; slowly, about 40 us a product of two tiles.
#pragma once

namespace test {

#if defined(__linux__) && defined(__x86_64__)
#define MILLINER_TILE_TRAP 1

// For the lifetime of a value, on one thread at a time. Where the processor executes the instructions nothing
// is trapped. An instruction that is not one of the tiles ends the process as it would have without.
class TileTrap {
public:
  TileTrap();
  ~TileTrap();
  TileTrap(const TileTrap&) = delete;
  TileTrap& operator=(const TileTrap&) = delete;

  // Instructions executed so far.
  static long executed();
  // Whether tiles are configured: a kernel leaves them released.
  static bool configured();
};
#endif

} // namespace test
