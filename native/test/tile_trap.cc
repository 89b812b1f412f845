#include "test/tile_trap.h"

#if defined(MILLINER_TILE_TRAP)
#include "kernels/flush_mode.h"

#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ucontext.h>

namespace test {
namespace {

struct sigaction before;
long count = 0;
bool is_configured = false;
std::uint8_t tiles[8][16][64];

// A VEX instruction of the map 0F38 with its operands, as the manual's chapter 2 encodes them.
struct Instruction {
  unsigned prefix, opcode; // prefix: 0 none, 2 F3, 3 F2
  bool is_memory;
  unsigned reg, rm, vvvv; // numbers of registers
  std::uint8_t* address;  // base + displacement (+ scaled index where the stride is not asked for)
  long stride;            // the index register, scaled
  long length;
};

long register_of(const greg_t* registers, unsigned number) {
  constexpr int order[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                           REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<long>(registers[order[number]]);
}

template <class T> long read(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<long>(value);
}

bool decode(const greg_t* registers, Instruction& found) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]);
  if (begin[0] != 0xC4 || (begin[1] & 0x1F) != 2)
    return false;
  const bool reg_high = !(begin[1] & 0x80), index_high = !(begin[1] & 0x40), base_high = !(begin[1] & 0x20);
  found.vvvv = ~begin[2] >> 3 & 15u;
  found.prefix = begin[2] & 3u;
  found.opcode = begin[3];
  const unsigned mod = begin[4] >> 6, rm = begin[4] & 7u;
  found.reg = (begin[4] >> 3 & 7u) | (reg_high ? 8u : 0u);
  found.rm = rm | (base_high ? 8u : 0u);
  found.is_memory = mod != 3;
  const std::uint8_t* at = begin + 5;
  long address = 0, displacement = 0;
  found.stride = 0;
  if (found.is_memory) {
    bool no_base = mod == 0 && rm == 5; // relative to the next instruction
    if (rm == 4) {
      const unsigned sib = *at++, index = (sib >> 3 & 7u) | (index_high ? 8u : 0u);
      if (index != 4)
        found.stride = register_of(registers, index) * (1L << (sib >> 6));
      no_base = mod == 0 && (sib & 7u) == 5;
      if (!no_base)
        address = register_of(registers, (sib & 7u) | (base_high ? 8u : 0u));
    } else if (!no_base) {
      address = register_of(registers, found.rm);
    }
    if (mod == 1) {
      displacement = read<std::int8_t>(at);
      at += 1;
    } else if (mod == 2 || no_base) {
      displacement = read<std::int32_t>(at);
      at += 4;
    }
    if (no_base && rm == 5)
      address = reinterpret_cast<long>(at);
  }
  found.address = reinterpret_cast<std::uint8_t*>(address + displacement);
  found.length = at - begin;
  return true;
}

// Palette 1, and 8 tiles of 16 rows of 64 bytes: what the kernels configure.
// Another one would fault or zero parts.
bool configure(const std::uint8_t* from) {
  if (from[0] != 1 || from[1] != 0)
    return false;
  for (int t = 0; t < 16; t++) {
    const bool used = t < 8;
    if (read<std::uint16_t>(from + 16 + 2 * t) != (used ? 64 : 0) || from[48 + t] != (used ? 16 : 0))
      return false;
  }
  std::memset(tiles, 0, sizeof tiles);
  return is_configured = true;
}

float half_of(const std::uint8_t* pair, int which) {
  std::uint16_t half;
  std::memcpy(&half, pair + 2 * which, 2);
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// TDPBF16PS as documented.
void multiply(std::uint8_t (*c)[64], const std::uint8_t (*a)[64], const std::uint8_t (*b)[64]) {
  const milliner::FlushMode flush; // a signal handler begins with the processor's default
  for (int m = 0; m < 16; m++)
    for (int n = 0; n < 16; n++) {
      float sums[2] = {0, 0}, old;
      for (int k = 0; k < 16; k++)
        for (int which = 0; which < 2; which++)
          sums[which] = std::fma(half_of(a[m] + 4 * k, which), half_of(b[k] + 4 * n, which), sums[which]);
      std::memcpy(&old, c[m] + 4 * n, 4);
      const float sum = old + (sums[0] + sums[1]);
      std::memcpy(c[m] + 4 * n, &sum, 4);
    }
}

bool execute(const Instruction& it) {
  constexpr unsigned kConfigure = 0x49, kMove = 0x4B, kMultiply = 0x5C;
  if (it.opcode == kConfigure && it.prefix == 0) {
    if (it.is_memory && it.stride == 0)
      return configure(it.address);
    is_configured = false; // tilerelease
    return !it.is_memory;
  }
  if (!is_configured || it.reg > 7)
    return false;
  if (it.opcode == kConfigure && it.prefix == 3 && !it.is_memory) {
    std::memset(tiles[it.reg], 0, sizeof tiles[it.reg]);
    return true;
  }
  if (it.opcode == kMove && it.is_memory && (it.prefix == 2 || it.prefix == 3)) {
    for (int row = 0; row < 16; row++) {
      std::uint8_t* at = it.address + row * it.stride;
      if (it.prefix == 3)
        std::memcpy(tiles[it.reg][row], at, 64);
      else
        std::memcpy(at, tiles[it.reg][row], 64);
    }
    return true;
  }
  if (it.opcode == kMultiply && it.prefix == 2 && !it.is_memory && it.rm < 8 && it.vvvv < 8) {
    multiply(tiles[it.reg], tiles[it.rm], tiles[it.vvvv]);
    return true;
  }
  return false;
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Instruction it{};
  if (decode(registers, it) && execute(it)) {
    registers[REG_RIP] += it.length;
    count++;
    return;
  }
  sigaction(SIGILL, &before, nullptr); // not ours: it happens again, and to whoever was there
}

} // namespace

TileTrap::TileTrap() {
  struct sigaction action{};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &before);
}
TileTrap::~TileTrap() { sigaction(SIGILL, &before, nullptr); }

long TileTrap::executed() { return count; }
bool TileTrap::configured() { return is_configured; }

} // namespace test
#endif
