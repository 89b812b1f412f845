#include "threads/pool.h"

#include "kernels/flush_mode.h"
#include "threads/processors.h"

#include <chrono>
#include <exception>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace milliner {
namespace {

using Clock = std::chrono::steady_clock;

// A spinning thread sees an order within 0.1 us, a sleeping one in 5 to 7: between the kernels of a step
// nobody sleeps.
constexpr auto kSpin = std::chrono::microseconds(50);

void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#else
  asm volatile("yield");
#endif
}

// Waits until `value` is no longer `old`: spins first, then sleeps.
std::uint32_t await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  const auto until = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; i++) {
      const std::uint32_t now = value.load(std::memory_order_acquire);
      if (now != old)
        return now;
      pause();
    }
  } while (Clock::now() < until);
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

// Part p of `parts`, as equal as whole items allow.
Range part_of(Index items, Index parts, Index p) { return {items * p / parts, items * (p + 1) / parts}; }

} // namespace

// Cache lines of their own: a worker spins on `orders`, and the caller on `done`.
struct Pool::Worker {
  alignas(64) std::atomic<std::uint32_t> orders{0}; // raised by the caller for every part
  std::atomic<std::uint32_t> taken{0};              // the last order that somebody began, worker or caller
  alignas(64) std::atomic<std::uint32_t> done{0};   // the last order that the worker finished
  // Read by whoever has taken the order.
  alignas(64) const Job* job = nullptr; // null: leave
  Range items{};
  float* scratch = nullptr;
  Workspace workspace;
  std::thread thread;

  void serve() noexcept {
    const FlushMode flush;
    for (std::uint32_t seen = 0;;) {
      seen = await_change(orders, seen);
      if (!take(seen))
        continue;
      if (!job)
        return;
      job->run(job->arguments, items, scratch);
      done.store(seen, std::memory_order_release);
      done.notify_one();
    }
  }

  // Whether the part of this order is the taker's to do.
  bool take(std::uint32_t order) noexcept {
    std::uint32_t before = order - 1;
    return taken.compare_exchange_strong(before, order, std::memory_order_acq_rel);
  }

  void order(const Job* next) noexcept {
    job = next;
    orders.fetch_add(1, std::memory_order_release);
    orders.notify_one();
  }

  // The caller takes back what the worker has not begun: it was waked on the caller's own processor, or the
  // others are busy. Where it has begun, waits for it.
  void finish(float* own_scratch) noexcept {
    const std::uint32_t wanted = orders.load(std::memory_order_relaxed);
    if (take(wanted)) {
      job->run(job->arguments, items, own_scratch);
      return;
    }
    for (std::uint32_t now = done.load(std::memory_order_acquire); now != wanted;)
      now = await_change(done, now);
  }
};

Pool::Pool(int threads) { resize(threads); }
Pool::~Pool() { resize(1); }

Pool& Pool::shared(int first) {
  static Pool& pool = *new Pool(first > 0 ? first : chosen_threads().count);
  return pool;
}

int Pool::threads() const noexcept { return threads_.load(std::memory_order_relaxed); }
int Pool::asked() const noexcept { return asked_.load(std::memory_order_relaxed); }

bool Pool::set_threads(int count) noexcept {
  const std::lock_guard lock(mutex_);
  resize(count);
  return threads() == count;
}

// A limit on processes, of a container or a user, refuses threads as well, and so does a lack of memory for a
// stack: no reason to end, because the bits are the same with fewer.
bool Pool::add_worker() noexcept {
  try {
    workers_.reserve(workers_.size() + 1); // a started thread must find its place
    auto worker = std::make_unique<Worker>();
    worker->thread = std::thread([w = worker.get()] { w->serve(); });
    workers_.push_back(std::move(worker));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void Pool::remove_worker() noexcept {
  workers_.back()->order(nullptr);
  workers_.back()->thread.join();
  workers_.pop_back();
}

void Pool::resize(int count) noexcept {
  asked_ = count;
  const auto workers = static_cast<std::size_t>(count - 1), before = workers_.size();
  while (workers_.size() > workers)
    remove_worker();
  while (workers_.size() < workers && add_worker()) {
  }
  // Not the last ones that there are: Node's event loop starts four when it first needs them, at a file operation
  // for example, and ends the process where it cannot.
  if (workers_.size() < workers)
    for (int spare = 4; spare > 0 && workers_.size() > before; spare--)
      remove_worker();
  threads_ = static_cast<int>(workers_.size()) + 1;
}

Status Pool::run(const Job& job, Workspace& own) noexcept {
  const Index items = job.work.items;
  if (items <= 0)
    return Status::ok;
  float* scratch = own.reserve(job.work.workspace);
  if (!scratch)
    return Status::out_of_memory;

  std::unique_lock lock(mutex_, std::defer_lock);
  Index parts = 1;
  if (items > 1 && job.work.nanoseconds > kSplitNanoseconds && threads() > 1 && lock.try_lock())
    parts = smaller(static_cast<Index>(workers_.size()) + 1, items);
  if (parts == 1) {
    job.run(job.arguments, {0, items}, scratch);
    return Status::ok;
  }

  for (Index p = 1; p < parts; p++) {
    Worker& worker = *workers_[static_cast<std::size_t>(p - 1)];
    worker.scratch = worker.workspace.reserve(job.work.workspace);
    if (!worker.scratch)
      return Status::out_of_memory;
  }
  for (Index p = 1; p < parts; p++) {
    Worker& worker = *workers_[static_cast<std::size_t>(p - 1)];
    worker.items = part_of(items, parts, p);
    worker.order(&job);
  }
  job.run(job.arguments, part_of(items, parts, 0), scratch);
  for (Index p = 1; p < parts; p++)
    workers_[static_cast<std::size_t>(p - 1)]->finish(scratch);
  return Status::ok;
}

} // namespace milliner
