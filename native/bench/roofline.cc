#include "bench/roofline.h"

#include "bench/peak.h"
#include "dispatch/isa.h"

#include <atomic>
#include <ctime>

namespace bench {

using milliner::Index;
using milliner::Range;

namespace {

struct Roof {
  double (*run_peak)(long steps) noexcept;
  float (*run_read)(const float* data, Index floats) noexcept;
};

Roof roof_of(const milliner::Table& table) {
#if defined(__x86_64__)
  if (&table == &milliner::avx512::table)
    return {milliner::avx512::run_peak, milliner::avx512::run_read};
  if (&table == &milliner::avx2::table)
    return {milliner::avx2::run_peak, milliner::avx2::run_read};
#elif defined(__aarch64__)
  if (&table == &milliner::neon::table)
    return {milliner::neon::run_peak, milliner::neon::run_read};
#endif
  return {milliner::scalar::run_peak, milliner::scalar::run_read};
}

// One job for each thread of the pool. Its time is said to be long enough to be split.
void on_all_threads(milliner::Pool& pool, void (*run)(const void*, Range, float*) noexcept,
                    const void* arguments) {
  static milliner::Workspace none;
  pool.run({run, arguments, {pool.threads(), 1e9, 0}}, none);
}

} // namespace

double now(const milliner::Pool& pool) {
  timespec time{};
  clock_gettime(pool.threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double sample_peak(const milliner::Table& table, milliner::Pool& pool) {
  struct Job {
    Roof roof;
    long steps;
    mutable std::atomic<double> flops;
  };
  // 1 to 2 ms: long enough for the clock, short enough to be seldom interrupted.
  const Job job{roof_of(table), table.lanes > 4 ? 100'000 : 20'000, 0};
  const double start = now(pool);
  on_all_threads(
      pool,
      [](const void* arguments, Range items, float*) noexcept {
        const auto& own = *static_cast<const Job*>(arguments);
        for (Index i = items.begin; i < items.end; i++)
          own.flops.fetch_add(own.roof.run_peak(own.steps));
      },
      &job);
  return job.flops / (now(pool) - start);
}

double sample_read(const milliner::Table& table, milliner::Pool& pool, const float* data, Index floats) {
  struct Job {
    Roof roof;
    const float* data;
    Index floats, threads;
  };
  const Job job{roof_of(table), data, floats, pool.threads()};
  const double start = now(pool);
  on_all_threads(
      pool,
      [](const void* arguments, Range items, float*) noexcept {
        const auto& own = *static_cast<const Job*>(arguments);
        const Index begin = own.floats * items.begin / own.threads,
                    end = own.floats * items.end / own.threads;
        own.roof.run_read(own.data + begin, end - begin);
      },
      &job);
  return now(pool) - start;
}

} // namespace bench
