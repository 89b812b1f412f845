#include "dispatch/bf16.h"

#include "dispatch/isa.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace milliner {

Bf16Facts bf16_facts() {
  Bf16Facts facts{};
#if defined(__linux__) && defined(__x86_64__)
  facts.linux_x86 = true;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    facts.amx_bf16 = d >> 22 & 1u;
    facts.amx_tile = d >> 24 & 1u;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
      facts.avx512_bf16 = (a >> 5 & 1u) && is_runnable(avx512::table);
  }
  constexpr unsigned kOsXsave = 1u << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & kOsXsave)) {
    unsigned low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    facts.registers_saved = (low >> 17 & 3u) == 3u; // tile configuration and tile data
  }
  if (facts.amx_tile && facts.amx_bf16 && facts.registers_saved) {
    constexpr long kRequestPermission = 0x1023, kTileData = 18; // ARCH_REQ_XCOMP_PERM of asm/prctl.h
    facts.permission_errno = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0 ? 0 : errno;
  }
#endif
  return facts;
}

Bf16Choice choose_bf16(const char* forced, const Bf16Facts& facts) {
  const std::string wanted = forced ? forced : "";
  if (wanted == "emulated")
    return {&emulated::table, "MILLINER_BF16 asks for emulated tiles, which are slow and for tests"};
  if (wanted == "off")
    return {nullptr, "MILLINER_BF16 is \"off\""};
  if (!wanted.empty())
    return {nullptr, "MILLINER_BF16 is \"" + wanted + "\", and can be \"emulated\", \"off\" or unset"};
  if (!facts.linux_x86)
    return {nullptr, "only the tile registers of x86-64 processors under Linux are used"};
  if (!facts.amx_tile || !facts.amx_bf16)
    return {nullptr, "this processor has no tile registers for bf16 (AMX-TILE and AMX-BF16)"};
  if (!facts.avx512_bf16)
    return {nullptr, "this processor has tile registers but not AVX-512 with bf16, which fills them"};
  if (!facts.registers_saved)
    return {nullptr, "the operating system does not save this processor's tile registers"};
  if (facts.permission_errno != 0)
    return {nullptr, std::string("the kernel does not let this process use the tile registers (") +
                         std::strerror(facts.permission_errno) + ")"};
#if defined(__x86_64__)
  return {&amx::table, "this processor has tile registers for bf16, and the kernel lets us use them"};
#else
  return {nullptr, "this build has no kernels for tile registers"};
#endif
}

const Bf16Choice& chosen_bf16() {
  static const Bf16Choice choice = choose_bf16(std::getenv("MILLINER_BF16"), bf16_facts());
  return choice;
}

} // namespace milliner
