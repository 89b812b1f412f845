// Microbenchmark of the kernels, without Node:
//
//   cmake -S native -B build -G Ninja && cmake --build build && build/milliner-bench [--json] [--isa NAME]
//     [--threads N] [--rounds N] [--only KERNEL] [--peers]
//
// Times are those of the calling thread's CPU clock with one thread, so that other load on the machine does
// not enter, and of the wall clock with more. Beside them stand the shares of two roofs: of the multiply-adds
// that the registers can do, sampled beside every round, and of what can be read from memory that is as large
// as what the kernel moves. Nobody reaches both.
//
// --peers compares our products with those of other libraries instead (comparisons.h);
// `npm run bench:kernels` makes a table of that.
#include "bench/bench.h"

#include "bench/comparisons.h"
#include "bench/roofline.h"
#include "dispatch/isa.h"
#include "kernels/flush_mode.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bench {

using milliner::Index;

Buffer::Buffer(Index floats, unsigned seed) {
  constexpr std::size_t kPage = std::size_t{2} << 20;
  // One vector more than asked: benchmarks of one shape read nothing there,
  // sanitizers check the kernels elsewhere.
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

void put_zeros(const Buffer& buffer, Index floats, unsigned of) {
  std::minstd_rand random(7);
  for (Index i = 0; i < floats; i++)
    if (random() / 256 % of != 0)
      buffer.data()[i] = 0;
}

std::vector<Entry>& entries() {
  static std::vector<Entry> list;
  return list;
}

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }
double most(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

} // namespace

void Bench::measure_in_turn(const std::string& kernel, const std::vector<Part>& parts) {
  Result whole{kernel, "all in turn", 0, 0, {}, {}, 0};
  std::vector<Result> each;
  for (const Part& part : parts) {
    each.push_back({kernel, part.shape, part.flops, part.bytes, {}, {}, 0});
    whole.flops += part.flops, whole.bytes += part.bytes;
  }
  constexpr int kWarm = 2;
  for (int round = -kWarm; round < rounds_; round++) {
    const double peak = sample_peak(table, pool_);
    double seconds = 0;
    for (std::size_t i = 0; i < parts.size(); i++) {
      const double start = now(pool_);
      parts[i].run();
      const double taken = now(pool_) - start;
      seconds += taken;
      if (round >= 0)
        each[i].seconds.push_back(taken), each[i].peaks.push_back(peak);
    }
    if (round >= 0)
      whole.seconds.push_back(seconds), whole.peaks.push_back(peak);
  }
  each.push_back(std::move(whole));
  for (Result& result : each) {
    result.read_rate = read_rate(result.bytes);
    results.push_back(std::move(result));
  }
}

void Bench::time(const std::string& kernel, const std::string& shape, double flops, double bytes,
                 const std::function<void()>& run) {
  run();
  run();
  Result result{kernel, shape, flops, bytes, {}, {}, 0};
  for (int round = 0; round < rounds_; round++) {
    result.peaks.push_back(sample_peak(table, pool_));
    const double start = now(pool_);
    run();
    result.seconds.push_back(now(pool_) - start);
  }
  // Afterwards: between the rounds it would push the kernel's own operands out of the caches.
  result.read_rate = read_rate(bytes);
  results.push_back(std::move(result));
}

double Bench::read_rate(double bytes) {
  // 16 KiB to 256 MiB: below, the clock would be measured; above, it is the memory's rate anyway.
  const auto floats = static_cast<Index>(std::clamp(bytes, 16384.0, 268435456.0) / 4);
  if (!read_ || read_floats_ < floats) {
    read_ = std::make_unique<Buffer>(floats);
    read_floats_ = floats;
  }
  double best = 0;
  for (int i = 0; i < 7; i++)
    best =
        std::max(best, 4.0 * static_cast<double>(floats) / sample_read(table, pool_, read_->data(), floats));
  return best;
}

namespace {

struct Options {
  bool json = false;
  bool peers = false;
  const char* isa = nullptr;
  const char* only = nullptr;
  int threads = 1;
  int rounds = 25;
};

int usage(const char* argument) {
  std::fprintf(stderr,
               "unknown argument %s; use [--json] [--isa NAME] [--threads N] [--rounds N] [--only KERNEL] "
               "[--peers]\n",
               argument);
  return 2;
}

void print_text(const Bench& bench) {
  std::printf("%-24s %-30s %10s %10s %9s %7s %8s %7s\n", "kernel", "shape", "min ms", "median ms", "GFLOP/s",
              "% peak", "GB/s", "% read");
  for (const Bench::Result& r : bench.results) {
    const double seconds = least(r.seconds), peak = most(r.peaks);
    std::printf("%-24s %-30s %10.4f %10.4f %9.1f %7.1f %8.1f %7.1f\n", r.kernel.c_str(), r.shape.c_str(),
                seconds * 1e3, median(r.seconds) * 1e3, r.flops / seconds / 1e9,
                100 * r.flops / seconds / peak, r.bytes / seconds / 1e9,
                100 * r.bytes / seconds / r.read_rate);
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
        "\"flopsPerSecond\": %.6g, \"peakFlopsPerSecond\": %.6g, \"bytesPerSecond\": %.6g, "
        "\"readBytesPerSecond\": %.6g}",
        comma, r.kernel.c_str(), r.shape.c_str(), seconds, median(r.seconds), r.flops / seconds, peak,
        r.bytes / seconds, r.read_rate);
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
    if (!std::strcmp(argument, "--peers")) {
      options.peers = true;
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
  if (options.peers)
    return bench::print_comparisons(*choice.table, {options.threads, options.rounds, options.only}) ? 0 : 1;
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
