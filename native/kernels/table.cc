#include "kernels/table.h"

#include "kernels/set.h"
#include "kernels/tiles.h"

#define MILLINER_STRING_OF(x) #x
#define MILLINER_STRING(x) MILLINER_STRING_OF(x)

namespace milliner::MILLINER_SET {

extern const Table table;
const Table table = {MILLINER_STRING(MILLINER_SET), kLanes,
#define MILLINER_ENTRY(kernel, Args, js) {kernel##_work, kernel##_run},
                     MILLINER_KERNELS(MILLINER_ENTRY)
#undef MILLINER_ENTRY
};

} // namespace milliner::MILLINER_SET
