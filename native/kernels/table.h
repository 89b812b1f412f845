// The kernels of one instruction set as a table of functions.
#pragma once

#include "kernels/list.h"

namespace milliner {

struct Table {
  const char* name;
  int lanes;
#define MILLINER_FIELD(kernel, Args, js) Kernel<Args> kernel;
  MILLINER_KERNELS(MILLINER_FIELD)
#undef MILLINER_FIELD
};

// Defined by table.cc of the sets that were compiled; dispatch/isa.cc knows which.
namespace scalar {
extern const Table table;
}
namespace avx2 {
extern const Table table;
}
namespace avx512 {
extern const Table table;
}
namespace neon {
extern const Table table;
}

} // namespace milliner
