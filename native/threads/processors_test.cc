#include "threads/processors.h"

#include "test/check.h"

using namespace milliner;

CASE("a number of threads that is named is taken") {
  for (const int count : {1, 7, 1024}) {
    const ThreadCount chosen = choose_threads(std::to_string(count).c_str());
    CHECK(chosen.count == count);
    CHECK(chosen.error.empty());
  }
}

CASE("without a number there are as many threads as processors may be used, one at least") {
  for (const char* unset : {static_cast<const char*>(nullptr), ""}) {
    const ThreadCount chosen = choose_threads(unset);
    CHECK(chosen.count >= 1);
    CHECK(chosen.error.empty());
  }
}

CASE("what is no number of threads is an error that names it") {
  for (const char* wrong : {"0", "-1", "1025", "99999999999999999999", "1.5", "4x", " 4", "+4", "two"}) {
    const ThreadCount chosen = choose_threads(wrong);
    CHECK(chosen.count == 0);
    CHECK(chosen.error.find("MILLINER_THREADS is \"" + std::string(wrong) + "\"") == 0);
  }
}
