// The microbenchmark's registry. A kernel's <name>_bench.cc registers its shapes:
//
//   BENCH(linear_forward) { ... bench.measure("64x784x2000", flops, bytes, kernel, args); }
#pragma once

#include "kernels/table.h"
#include "threads/pool.h"

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace bench {

// Floats on huge pages, as the addon's allocate gives them, filled with uniform numbers in [-1, 1).
class Buffer {
public:
  explicit Buffer(milliner::Index floats, unsigned seed = 1);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* data() const { return data_; }

private:
  float* data_;
};

// Leaves one of so many elements, in no order, as ReLU and dropout do, and puts zeros for the others.
void put_zeros(const Buffer& buffer, milliner::Index floats, unsigned of = 4);

// One instruction set's run of all benchmarks.
class Bench {
public:
  struct Result {
    std::string kernel, shape;
    double flops, bytes;
    std::vector<double> seconds;
    std::vector<double> peaks; // flops per second, sampled beside every round
    double read_rate;          // bytes per second out of an array of as many bytes
  };

  Bench(const milliner::Table& set, milliner::Pool& pool, int rounds)
      : table(set), pool_(pool), rounds_(rounds) {}

  template <class Args>
  void measure(const std::string& kernel, const std::string& shape, double flops, double bytes,
               const milliner::Kernel<Args>& code, const Args& args) {
    time(kernel, shape, flops, bytes, [&] { milliner::launch(pool_, code, args, workspace_); });
  }

  // One of several kernels that are timed in turn, each round all of them in order: as a training step runs
  // them, each with the caches as the one before left them.
  struct Part {
    std::string shape;
    double flops, bytes;
    std::function<void()> run;
  };
  void measure_in_turn(const std::string& kernel, const std::vector<Part>& parts);

  template <class Args> std::function<void()> launcher(const milliner::Kernel<Args>& code, const Args& args) {
    return [this, &code, args] { milliner::launch(pool_, code, args, workspace_); };
  }

  const milliner::Table& table;
  std::vector<Result> results;

private:
  void time(const std::string& kernel, const std::string& shape, double flops, double bytes,
            const std::function<void()>& run);

  double read_rate(double bytes);

  milliner::Pool& pool_;
  int rounds_;
  milliner::Workspace workspace_;
  std::unique_ptr<Buffer> read_;
  milliner::Index read_floats_ = 0;
};

using Function = void (*)(Bench&);
struct Entry {
  const char* kernel;
  Function run;
};
std::vector<Entry>& entries();

struct Register {
  Register(const char* kernel, Function run) { entries().push_back({kernel, run}); }
};

} // namespace bench

#define BENCH(kernel)                                                                                        \
  static void bench_##kernel(bench::Bench& bench);                                                           \
  static const bench::Register register_##kernel{#kernel, bench_##kernel};                                   \
  static void bench_##kernel(bench::Bench& bench)
