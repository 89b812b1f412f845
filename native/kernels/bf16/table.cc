#include "kernels/bf16/set.h"

#define MILLINER_STRING_OF(x) #x
#define MILLINER_STRING(x) MILLINER_STRING_OF(x)

namespace milliner::MILLINER_SET {

extern const Bf16Table table;
const Bf16Table table = {MILLINER_STRING(MILLINER_SET),
#define MILLINER_ENTRY(kernel, Args, js) {kernel##_work, kernel##_run},
                         MILLINER_BF16_KERNELS(MILLINER_ENTRY)
#undef MILLINER_ENTRY
};

} // namespace milliner::MILLINER_SET
