#include "dispatch/isa.h"

#include <cstdlib>

namespace milliner {

const std::vector<const Table*>& compiled_tables() {
  static const std::vector<const Table*> tables = {
#if defined(__x86_64__)
      &avx512::table, &avx2::table,
#elif defined(__aarch64__)
      &neon::table,
#endif
      &scalar::table};
  return tables;
}

bool is_runnable(const Table& table) {
#if defined(__x86_64__)
  // __builtin_cpu_supports reads cpuid and, through xgetbv, whether the operating system saves ymm and zmm.
  if (&table == &avx512::table)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (&table == &avx2::table)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return &table == &scalar::table || table.lanes == 4; // arm64's NEON is part of its baseline
}

Choice choose_table(const char* forced) {
  std::string runnable;
  for (const Table* table : compiled_tables())
    if (is_runnable(*table))
      runnable += (runnable.empty() ? "" : ", ") + std::string(table->name);
  const bool free = !forced || !*forced;
  for (const Table* table : compiled_tables())
    if (is_runnable(*table) && (free || table->name == std::string(forced)))
      return {table, free ? "best that this machine runs" : "named by MILLINER_ISA", ""};
  return {nullptr, "",
          "MILLINER_ISA is \"" + std::string(forced) + "\", which this machine does not run; it runs " +
              runnable + ". Name one of these, or unset MILLINER_ISA."};
}

const Choice& chosen_table() {
  static const Choice choice = choose_table(std::getenv("MILLINER_ISA"));
  return choice;
}

} // namespace milliner
