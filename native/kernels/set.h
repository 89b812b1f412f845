// Declares every kernel in the namespace of the instruction set that is being compiled.
#pragma once

#include "kernels/list.h"

namespace milliner::MILLINER_SET {

#define MILLINER_DECLARE(kernel, Args, js)                                                                   \
  Work kernel##_work(const Args& args) noexcept;                                                             \
  void kernel##_run(const Args& args, Range items, float* workspace) noexcept;
MILLINER_KERNELS(MILLINER_DECLARE)
#undef MILLINER_DECLARE

} // namespace milliner::MILLINER_SET
