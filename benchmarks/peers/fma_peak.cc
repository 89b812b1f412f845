// The most fused multiply-adds that one core does now: the roof over every product, sampled between the steps
// of `npm run bench:step`. The loop is the one of native/bench, on the vectors and registers that the kernels
// use.
//
//   c++ -std=c++20 -O3 -mavx2 -mfma -DMILLINER_SET=avx2 -DMILLINER_SET_AVX2=1 -I native
//     benchmarks/peers/fma_peak.cc native/bench/peak.cc -o fma-peak
//
// Each line on stdin asks for one sample; the answer is a line {"gflops": 103.6}.
#include "bench/peak.h"

#include <cstdio>
#include <ctime>

namespace {

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

} // namespace

int main() {
  for (char line[64]; std::fgets(line, sizeof line, stdin);) {
    // About 2 ms: long enough for the clock, short enough to be seldom interrupted.
    const double start = thread_seconds();
    const double flops = milliner::MILLINER_SET::run_peak(100'000);
    std::printf("{\"gflops\": %.3f}\n", flops / (thread_seconds() - start) * 1e-9);
    std::fflush(stdout);
  }
}
