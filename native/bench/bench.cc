// Microbenchmark of the kernels, without Node:
//
//   cmake -S native -B build -G Ninja && cmake --build build && build/milliner-bench [--json] [--isa NAME]
//     [--threads N] [--rounds N] [--only KERNEL]
//
// Times are those of the calling thread's CPU clock with one thread, so that other load on the machine does
// not enter, and of the wall clock with more. The peak is a register-only loop of fma, sampled beside every
// round.
#include "bench/bench.h"

#include "bench/peak.h"
#include "dispatch/isa.h"
#include "kernels/flush_mode.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bench {

using milliner::Index;

Buffer::Buffer(Index floats, unsigned seed) {
  constexpr std::size_t kPage = std::size_t{2} << 20;
  // One vector more than asked: benchmarks of one shape read nothing there, sanitizers check the kernels
  // elsewhere.
  const std::size_t bytes = (static_cast<std::size_t>(floats) * 4 + kPage) / kPage * kPage;
  data_ = static_cast<float*>(std::aligned_alloc(kPage, bytes));
  if (!data_) {
    std::fprintf(stderr, "no memory for %zu bytes\n", bytes);
    std::exit(1);
  }
#if defined(__linux__)
  madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  std::minstd_rand random(seed);
  for (Index i = 0; i < floats; i++)
    data_[i] = static_cast<float>(static_cast<int>(random() % 65536) - 32768) / 32768;
}
Buffer::~Buffer() { std::free(data_); }

std::vector<Entry>& entries() {
  static std::vector<Entry> list;
  return list;
}

namespace {

double now(bool one_thread) {
  timespec time{};
  clock_gettime(one_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double sample_peak(const milliner::Table& table) {
  const double start = now(true);
  double flops = 0;
#if defined(__x86_64__)
  if (&table == &milliner::avx512::table)
    flops = milliner::avx512::run_peak(100'000);
  else if (&table == &milliner::avx2::table)
    flops = milliner::avx2::run_peak(100'000);
#elif defined(__aarch64__)
  if (&table == &milliner::neon::table)
    flops = milliner::neon::run_peak(100'000);
#endif
  if (flops == 0)
    flops = milliner::scalar::run_peak(20'000);
  return flops / (now(true) - start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }
double most(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

} // namespace

void Bench::time(const std::string& kernel, const std::string& shape, double flops, double bytes,
                 const std::function<void()>& run) {
  const bool one_thread = pool_.threads() == 1;
  run();
  run();
  Result result{kernel, shape, flops, bytes, {}, {}};
  for (int round = 0; round < rounds_; round++) {
    result.peaks.push_back(sample_peak(table) * pool_.threads());
    const double start = now(one_thread);
    run();
    result.seconds.push_back(now(one_thread) - start);
  }
  results.push_back(std::move(result));
}

namespace {

struct Options {
  bool json = false;
  const char* isa = nullptr;
  const char* only = nullptr;
  int threads = 1;
  int rounds = 25;
};

int usage(const char* argument) {
  std::fprintf(stderr,
               "unknown argument %s; use [--json] [--isa NAME] [--threads N] [--rounds N] [--only KERNEL]\n",
               argument);
  return 2;
}

void print_text(const Bench& bench) {
  std::printf("%-24s %-30s %10s %10s %9s %7s %8s\n", "kernel", "shape", "min ms", "median ms", "GFLOP/s",
              "% peak", "GB/s");
  for (const Bench::Result& r : bench.results) {
    const double seconds = least(r.seconds), peak = most(r.peaks);
    std::printf("%-24s %-30s %10.4f %10.4f %9.1f %7.1f %8.1f\n", r.kernel.c_str(), r.shape.c_str(),
                seconds * 1e3, median(r.seconds) * 1e3, r.flops / seconds / 1e9,
                100 * r.flops / seconds / peak, r.bytes / seconds / 1e9);
  }
}

void print_json(const Bench& bench, const Options& options) {
  std::printf("{\"isa\": \"%s\", \"threads\": %d, \"rounds\": %d, \"results\": [", bench.table.name,
              options.threads, options.rounds);
  const char* comma = "";
  for (const Bench::Result& r : bench.results) {
    const double seconds = least(r.seconds), peak = most(r.peaks);
    std::printf(
        "%s\n  {\"kernel\": \"%s\", \"shape\": \"%s\", \"minSeconds\": %.9g, \"medianSeconds\": %.9g, "
        "\"flopsPerSecond\": %.6g, \"peakFlopsPerSecond\": %.6g, \"bytesPerSecond\": %.6g}",
        comma, r.kernel.c_str(), r.shape.c_str(), seconds, median(r.seconds), r.flops / seconds, peak,
        r.bytes / seconds);
    comma = ",";
  }
  std::printf("\n]}\n");
}

} // namespace
} // namespace bench

int main(int count, char** arguments) {
  bench::Options options;
  for (int i = 1; i < count; i++) {
    const char* argument = arguments[i];
    const char* value = i + 1 < count ? arguments[i + 1] : nullptr;
    if (!std::strcmp(argument, "--json")) {
      options.json = true;
      continue;
    }
    if (!value)
      return bench::usage(argument);
    if (!std::strcmp(argument, "--isa"))
      options.isa = value;
    else if (!std::strcmp(argument, "--only"))
      options.only = value;
    else if (!std::strcmp(argument, "--threads"))
      options.threads = std::max(1, std::atoi(value));
    else if (!std::strcmp(argument, "--rounds"))
      options.rounds = std::max(1, std::atoi(value));
    else
      return bench::usage(argument);
    i++;
  }
  const milliner::Choice choice =
      milliner::choose_table(options.isa ? options.isa : std::getenv("MILLINER_ISA"));
  if (!choice.table) {
    std::fprintf(stderr, "%s\n", choice.error.c_str());
    return 2;
  }
  const milliner::FlushMode flush;
  milliner::Pool pool(options.threads);
  bench::Bench bench(*choice.table, pool, options.rounds);
  for (const bench::Entry& entry : bench::entries())
    if (!options.only || std::strstr(entry.kernel, options.only))
      entry.run(bench);
  if (options.json)
    bench::print_json(bench, options);
  else
    bench::print_text(bench);
}
