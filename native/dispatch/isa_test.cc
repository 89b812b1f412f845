#include "dispatch/isa.h"

#include "test/check.h"

using namespace milliner;

CASE("a forced set is taken, and an unknown one is an error that names what this machine runs") {
  for (const Table* table : compiled_tables()) {
    const Choice choice = choose_table(table->name);
    CHECK(is_runnable(*table) ? choice.table == table : choice.table == nullptr);
  }
  const Choice unknown = choose_table("sse9");
  CHECK(unknown.table == nullptr);
  CHECK(unknown.error.find("sse9") != std::string::npos && unknown.error.find("scalar") != std::string::npos);
}

CASE("without a forced set the best runnable one is taken") {
  for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
    const Choice choice = choose_table(nothing);
    CHECK(choice.table != nullptr && choice.error.empty());
    for (const Table* table : compiled_tables())
      if (is_runnable(*table)) {
        CHECK(choice.table == table);
        break;
      }
  }
}
