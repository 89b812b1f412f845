#include "addon/call.h"
#include "addon/functions.h"
#include "dispatch/bf16.h"
#include "threads/processors.h"

#include <memory>

// Version of src/addon.ts's table: `addonAbi` there.
#define MILLINER_ADDON_ABI 6

namespace milliner {

napi_value addon_isa(napi_env env, napi_callback_info info) {
  const Call call(env, info, "isa", 0);
  napi_value result, text, available;
  napi_create_object(env, &result);
  napi_create_string_utf8(env, call.environment().table->name, NAPI_AUTO_LENGTH, &text);
  napi_set_named_property(env, result, "name", text);
  napi_create_string_utf8(env, chosen_table().reason.c_str(), NAPI_AUTO_LENGTH, &text);
  napi_set_named_property(env, result, "reason", text);
  napi_create_array(env, &available);
  std::uint32_t count = 0;
  for (const Table* table : compiled_tables())
    if (is_runnable(*table)) {
      napi_create_string_utf8(env, table->name, NAPI_AUTO_LENGTH, &text);
      napi_set_element(env, available, count++, text);
    }
  napi_set_named_property(env, result, "available", available);
  return result;
}

napi_value addon_bf16(napi_env env, napi_callback_info) {
  const Bf16Choice& choice = chosen_bf16();
  napi_value result, value;
  napi_create_object(env, &result);
  if (choice.table)
    napi_create_string_utf8(env, choice.table->name, NAPI_AUTO_LENGTH, &value);
  else
    napi_get_null(env, &value);
  napi_set_named_property(env, result, "tiles", value);
  napi_create_string_utf8(env, choice.reason.c_str(), NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, result, "reason", value);
  return result;
}

napi_value addon_threads(napi_env env, napi_callback_info) {
  const Pool& pool = Pool::shared();
  napi_value result, value;
  napi_create_object(env, &result);
  napi_create_int32(env, pool.threads(), &value);
  napi_set_named_property(env, result, "running", value);
  napi_create_int32(env, pool.asked(), &value);
  napi_set_named_property(env, result, "asked", value);
  return result;
}

napi_value addon_set_threads(napi_env env, napi_callback_info info) {
  Call call(env, info, "setThreads", 1);
  const Index count = call.count(0, "count", 1);
  if (call.ok() && count > 1024)
    call.refuse("count is %lld, and must be at most 1024", static_cast<long long>(count));
  if (call.ok())
    Pool::shared(static_cast<int>(count)).set_threads(static_cast<int>(count));
  return nullptr;
}

namespace {

napi_value init(napi_env env, napi_value exports) {
  const Choice& choice = chosen_table();
  if (!choice.table) {
    napi_throw_error(env, "NATIVE_ISA", choice.error.c_str());
    return nullptr;
  }
  if (const ThreadCount& threads = chosen_threads(); threads.count == 0) {
    napi_throw_error(env, "NATIVE_THREADS", threads.error.c_str());
    return nullptr;
  }
  auto environment = std::make_unique<Environment>();
  environment->table = choice.table;
  if (napi_set_instance_data(
          env, environment.get(), [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
          nullptr) != napi_ok)
    return nullptr;
  environment.release();

  napi_value abi;
  napi_create_int32(env, MILLINER_ADDON_ABI, &abi);
  const napi_property_descriptor properties[] = {
      {"abi", nullptr, nullptr, nullptr, nullptr, abi, napi_enumerable, nullptr},
#define MILLINER_PROPERTY(kernel, Args, js)                                                                  \
  {js, nullptr, addon_##kernel, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      MILLINER_KERNELS(MILLINER_PROPERTY)
#undef MILLINER_PROPERTY
#define MILLINER_PROPERTY(kernel, Args, js)                                                                  \
  {js, nullptr, addon_bf16_##kernel, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
          MILLINER_BF16_KERNELS(MILLINER_PROPERTY)
#undef MILLINER_PROPERTY
              {"isa", nullptr, addon_isa, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"bf16", nullptr, addon_bf16, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"threads", nullptr, addon_threads, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"setThreads", nullptr, addon_set_threads, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"allocate", nullptr, addon_allocate, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"free", nullptr, addon_free, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}

} // namespace
} // namespace milliner

NAPI_MODULE_INIT() { return milliner::init(env, exports); }
