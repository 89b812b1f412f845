// The functions that the addon gives to JavaScript, apart from the table made from kernels/list.h. Their
// contract is src/addon.ts.
#pragma once

#include "kernels/bf16/table.h"
#include "kernels/list.h"

#include <node_api.h>

namespace milliner {

// One for each kernel, named after it: addon_linear_forward, ...
#define MILLINER_FUNCTION(kernel, Args, js) napi_value addon_##kernel(napi_env env, napi_callback_info info);
MILLINER_KERNELS(MILLINER_FUNCTION)
#undef MILLINER_FUNCTION

// And for those in bf16: addon_bf16_linear_forward, ...
#define MILLINER_FUNCTION(kernel, Args, js)                                                                  \
  napi_value addon_bf16_##kernel(napi_env env, napi_callback_info info);
MILLINER_BF16_KERNELS(MILLINER_FUNCTION)
#undef MILLINER_FUNCTION

napi_value addon_isa(napi_env env, napi_callback_info info);
napi_value addon_bf16(napi_env env, napi_callback_info info);
napi_value addon_threads(napi_env env, napi_callback_info info);
napi_value addon_set_threads(napi_env env, napi_callback_info info);
napi_value addon_allocate(napi_env env, napi_callback_info info);
napi_value addon_free(napi_env env, napi_callback_info info);

} // namespace milliner
