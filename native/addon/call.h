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

#include <cstdint>
#include <initializer_list>

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

  // Typed arrays of exactly `size` elements, to be read; with `found` of any size, which is stored there.
  const float* floats(std::size_t i, const char* name, Index size, Index* found = nullptr);
  const std::int32_t* integers(std::size_t i, const char* name, Index size);
  const std::uint32_t* words(std::size_t i, const char* name, Index size, Index* found = nullptr);
  // The same, or null where the argument is not given.
  const float* optional_floats(std::size_t i, const char* name, Index size);
  const std::uint32_t* optional_words(std::size_t i, const char* name, Index size);

  // Arrays that the kernel writes. One that shares a byte with any other array of the call is refused, but where
  // the kernel's contract says that it may be an input itself: `may_be` are the numbers of such arguments. (An index
  // list in the memory of an output would change after it was checked; a partial overlap has no defined result.)
  using Arguments = std::initializer_list<std::size_t>;
  float* output(std::size_t i, const char* name, Index size, Arguments may_be = {});
  float* optional_output(std::size_t i, const char* name, Index size, Arguments may_be = {});
  std::int32_t* output_integers(std::size_t i, const char* name, Index size);
  std::uint32_t* output_words(std::size_t i, const char* name, Index size);

  // Copies `count` integers into `to`, and says whether it could: what is checked is what is used.
  bool sizes(std::size_t i, const char* name, Index count, std::int32_t* to);
  // Detaches an ArrayBuffer, and says whether it could.
  bool detach(std::size_t i);
  // Indices, which the caller checks before a kernel uses them. Not in a SharedArrayBuffer: another thread could
  // change one in between.
  const std::int32_t* indices(std::size_t i, const char* name, Index size);
  // Indices that ascend, each below `end`. Listed twice, an element would be written by two threads.
  const std::uint32_t* ascending(std::size_t i, const char* name, Index size, Index end);
  // Factors of an optimizer's step, in the order of src/addon.ts.
  MomentumFactors momentum_factors(std::size_t factors, std::size_t nesterov);
  AdamFactors adam_factors(std::size_t i);
  // The probability of keeping an element: above 0, at most 1.
  double keep(std::size_t i);
  Random random(std::size_t i);

  // Product of two sizes; too large for memory is a failure.
  Index product(Index a, Index b);

  // `what` completes the sentence "<function>: ...".
  void refuse(const char* what, ...) __attribute__((format(printf, 2, 3)));
  void refuse_type(std::size_t i, const char* name, const char* expected);

  // Runs a kernel over all its items, unless something was refused.
  // Returns undefined, or null after a failure.
  template <class Args> napi_value run(const Kernel<Args>& kernel, const Args& args) {
    keep_apart();
    if (ok_) {
      const FlushMode flush;
      report(launch(Pool::shared(), kernel, args, environment_->workspace));
    }
    return nullptr;
  }

private:
  // An array of this call.
  struct View {
    const char* name;
    std::uintptr_t begin, end;
    bool written;
    std::uint32_t may_be; // bit j: it may be argument j itself
  };

  void* typed_array(std::size_t i, const char* name, napi_typedarray_type type, const char* type_name,
                    Index size, Index* found);
  void refuse_shared(std::size_t i, const char* name);
  void* written(std::size_t i, void* data, Arguments may_be = {});
  // Refuses the call where an output shares memory with another array.
  void keep_apart();
  void report(Status status);
  void raise(const char* code, const char* message, bool type_error);

  napi_env env_;
  const char* function_;
  Environment* environment_ = nullptr;
  napi_value arguments_[kMostArguments] = {};
  View views_[kMostArguments] = {};
  bool ok_ = true;
};

} // namespace milliner
