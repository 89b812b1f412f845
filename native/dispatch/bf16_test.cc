#include "dispatch/bf16.h"

#include "test/check.h"

#include <cerrno>

using namespace milliner;

namespace {

constexpr Bf16Facts kEverything = {true, true, true, true, true, 0};

bool refused(const Bf16Facts& facts, const char* word) {
  const Bf16Choice choice = choose_bf16(nullptr, facts);
  return choice.table == nullptr && choice.reason.find(word) != std::string::npos;
}

Bf16Facts without(bool Bf16Facts::* fact) {
  Bf16Facts facts = kEverything;
  facts.*fact = false;
  return facts;
}

} // namespace

CASE("bf16 needs the processor's tiles, the operating system and its permission, and says which is missing") {
  CHECK(refused(without(&Bf16Facts::linux_x86), "Linux"));
  CHECK(refused(without(&Bf16Facts::amx_tile), "AMX-TILE"));
  CHECK(refused(without(&Bf16Facts::amx_bf16), "AMX-BF16"));
  CHECK(refused(without(&Bf16Facts::avx512_bf16), "AVX-512"));
  CHECK(refused(without(&Bf16Facts::registers_saved), "does not save"));
  Bf16Facts denied = kEverything;
  denied.permission_errno = EPERM;
  CHECK(refused(denied, "does not let this process"));
}

#if defined(__x86_64__)
CASE("bf16 takes the tiles where nothing is missing") {
  for (const char* nothing : {static_cast<const char*>(nullptr), ""})
    CHECK(choose_bf16(nothing, kEverything).table == &amx::table);
}
#endif

CASE("MILLINER_BF16 takes emulated tiles anywhere, or none, and refuses what it does not know") {
  for (const Bf16Facts& facts : {kEverything, Bf16Facts{}}) {
    CHECK(choose_bf16("emulated", facts).table == &emulated::table);
    CHECK(choose_bf16("off", facts).table == nullptr);
    const Bf16Choice unknown = choose_bf16("fast", facts);
    CHECK(unknown.table == nullptr && unknown.reason.find("fast") != std::string::npos);
  }
}
