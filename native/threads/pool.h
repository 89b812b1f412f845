// The threads of a process: N - 1 workers and whoever calls. A job is cut into parts by a static split of its
// items, so the same shape and thread count give the same split; a part that its worker has not begun when the
// caller is done with its own is the caller's too. The bits do not depend on either.
#pragma once

#include "kernels/work.h"
#include "threads/workspace.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace milliner {

enum class Status { ok, out_of_memory };

// Below this much work on one thread nothing is split: waking a sleeping worker takes 5 to 7 us, and the
// caller would wait for the slower half.
constexpr double kSplitNanoseconds = 50'000;

class Pool {
public:
  // A job with its types erased: run(job, items, workspace).
  struct Job {
    void (*run)(const void* job, Range items, float* workspace) noexcept;
    const void* arguments;
    Work work;
  };

  // With fewer threads where the system refuses to start them, as set_threads.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // The pool of the process, shared by all environments (main thread and Node worker threads). Never
  // destroyed: its workers may not be joined while a process exits. The first call makes it, with `first` threads,
  // or as many as chosen_threads() says, which has been asked before whether it is an error.
  static Pool& shared(int first = 0);

  int threads() const noexcept;
  // The number that was asked for last: more than threads() where the system refused to start one.
  int asked() const noexcept;
  // Starts or stops workers; waits for a running job. false when the system refuses to start a thread: then
  // as many are used as could be started, less a few that others may need.
  bool set_threads(int count) noexcept;

  // Runs all items; the caller's part and single-thread jobs use `own`. While another caller's job is split,
  // this one runs alone on its own thread.
  Status run(const Job& job, Workspace& own) noexcept;

private:
  struct Worker;
  bool add_worker() noexcept; // false where the system refuses
  void remove_worker() noexcept;
  void resize(int count) noexcept;

  mutable std::mutex mutex_; // held while a job is split or the workers change
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<int> threads_{1}, asked_{1};
};

template <class Args> struct Launch {
  const Kernel<Args>& kernel;
  const Args& args;
};

// Runs a kernel over all its items.
template <class Args>
Status launch(Pool& pool, const Kernel<Args>& kernel, const Args& args, Workspace& own) noexcept {
  const Launch<Args> both{kernel, args};
  return pool.run({[](const void* job, Range items, float* workspace) noexcept {
                     const auto& l = *static_cast<const Launch<Args>*>(job);
                     l.kernel.run(l.args, items, workspace);
                   },
                   &both, kernel.work(args)},
                  own);
}

} // namespace milliner
