// One call from JavaScript: reads and checks its arguments by type and size, runs a kernel, turns a failure
// into a RangeError or TypeError. The first failure wins; after it every reader returns nothing and no kernel
// runs, so a refused call has written nothing.
//
// Plain C Node-API: an argument is read in one call that asks only for what is needed (kernels.md section 5:
// all fields of a typed array cost 500 ns, pointer and length 195 for six arrays).
#pragma once

#include "dispatch/isa.h"
#include "kernels/flush_mode.h"
#include "threads/pool.h"

#include <node_api.h>

namespace milliner {

// State of one environment (the main thread, or a Node worker thread); its instance data.
struct Environment {
  const Table* table;
  Workspace workspace; // of the thread that runs this environment
  Workspace totals;    // partial results of reductions
};

class Call {
public:
  static constexpr std::size_t kMostArguments = 14;

  Call(napi_env env, napi_callback_info info, const char* function, std::size_t arguments);

  bool ok() const { return ok_; }
  napi_env env() const { return env_; }
  Environment& environment() const { return *environment_; }

  // A whole number from `least` to 2^31 - 1.
  Index count(std::size_t i, const char* name, Index least = 0);
  double number(std::size_t i, const char* name);
  // A finite number above 0.
  double positive(std::size_t i, const char* name);
  bool boolean(std::size_t i, const char* name);
  bool is_given(std::size_t i) const; // neither null nor undefined nor missing

  // Typed arrays of exactly `size` elements; with `found` of any size, which is stored there.
  float* floats(std::size_t i, const char* name, Index size, Index* found = nullptr);
  std::int32_t* integers(std::size_t i, const char* name, Index size);
  std::uint32_t* words(std::size_t i, const char* name, Index size, Index* found = nullptr);
  // The same, or null where the argument is not given.
  float* optional_floats(std::size_t i, const char* name, Index size);
  std::uint32_t* optional_words(std::size_t i, const char* name, Index size);
  // Indices that ascend, each below `end`. Listed twice, an element would be written by two threads.
  const std::uint32_t* ascending(std::size_t i, const char* name, Index size, Index end);
  // Factors of an optimizer's step, in the order of src/addon.ts.
  MomentumFactors momentum_factors(std::size_t factors, std::size_t nesterov);
  AdamFactors adam_factors(std::size_t i);
  // The probability of keeping an element: above 0, at most 1.
  double keep(std::size_t i);
  Random random(std::size_t i);

  // Refuses indices (32 bits each) that share memory with an output (32 bits): they were checked before it is
  // written, and are read while it is.
  void apart(const char* name, const void* indices, Index count, const char* output_name, const void* output,
             Index size);

  // Product of two sizes; too large for memory is a failure.
  Index product(Index a, Index b);

  // `what` completes the sentence "<function>: ...".
  void refuse(const char* what, ...) __attribute__((format(printf, 2, 3)));
  void refuse_type(std::size_t i, const char* name, const char* expected);

  // Runs a kernel over all its items, unless something was refused.
  // Returns undefined, or null after a failure.
  template <class Args> napi_value run(const Kernel<Args>& kernel, const Args& args) {
    if (ok_) {
      const FlushMode flush;
      report(launch(Pool::shared(), kernel, args, environment_->workspace));
    }
    return nullptr;
  }

private:
  void* typed_array(std::size_t i, const char* name, napi_typedarray_type type, const char* type_name,
                    Index size, Index* found);
  void report(Status status);
  void raise(const char* code, const char* message, bool type_error);

  napi_env env_;
  const char* function_;
  Environment* environment_ = nullptr;
  napi_value arguments_[kMostArguments] = {};
  bool ok_ = true;
};

} // namespace milliner
