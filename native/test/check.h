// The whole test framework: CASE registers, CHECK counts, run() prints a closing line
// and gives the exit status.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

namespace check {

struct Case {
  const char* name;
  void (*body)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> list;
  return list;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

// Fails the running case; at most 5 lines of detail for each.
inline void fail(const char* file, int line, const char* text) {
  if (failures()++ < 5)
    std::printf("  %s:%d: %s\n", file, line, text);
}

// Runs the cases whose name contains `filter` (all, where it is null).
inline int run(const char* filter = nullptr) {
  int passed = 0, failed = 0;
  for (const Case& one : cases()) {
    if (filter && !std::strstr(one.name, filter))
      continue;
    failures() = 0;
    try {
      one.body();
    } catch (const std::exception& error) {
      fail(one.name, 0, error.what());
    }
    failures() == 0 ? passed++ : failed++;
    if (failures() > 0)
      std::printf("FAILED %s: %d checks\n", one.name, failures());
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}

} // namespace check

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN2(a, b)
#define CASE(name)                                                                                           \
  static void CHECK_JOIN(case_, __LINE__)();                                                                 \
  static const check::Register CHECK_JOIN(register_, __LINE__){name, CHECK_JOIN(case_, __LINE__)};           \
  static void CHECK_JOIN(case_, __LINE__)()
#define CHECK(condition) ((condition) ? void() : check::fail(__FILE__, __LINE__, #condition))
