// Whether products can be computed in bf16 here, and why not: the tile registers of AMX where the processor
// has them and the operating system lets this process use them, or portable C++ where a test asks for it.
#pragma once

#include "kernels/bf16/table.h"

#include <string>

namespace milliner {

// What decides, as found on this machine or made up by a test.
struct Bf16Facts {
  bool linux_x86;       // permission is asked in Linux's way
  bool amx_tile;        // CPUID leaf 7: EDX bit 24
  bool amx_bf16;        // CPUID leaf 7: EDX bit 22
  bool avx512_bf16;     // CPUID leaf 7.1: EAX bit 5, and the sets that avx512 needs
  bool registers_saved; // XCR0 bits 17 and 18: the operating system saves tiles
  int permission_errno; // of arch_prctl(ARCH_REQ_XCOMP_PERM, 18); 0 where it was granted
};

// Asks the processor and, where that could help, the kernel for permission, which holds for the whole process
// and its later threads; pool threads that already run have it too.
Bf16Facts bf16_facts();

struct Bf16Choice {
  const Bf16Table* table; // null where there are no bf16 kernels
  std::string reason;     // why these, or why none: follows "because"
};

// `forced`: the environment variable MILLINER_BF16: null or empty for what the machine has, "emulated" for
// the portable tiles (slow, for tests), "off" for none. Anything else is none, and the reason names it.
Bf16Choice choose_bf16(const char* forced, const Bf16Facts& facts);

// choose_bf16 of MILLINER_BF16 and this machine, made once per process.
const Bf16Choice& chosen_bf16();

} // namespace milliner
