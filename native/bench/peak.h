// The fused multiply-adds per second that a set's registers can do: the roof over every product.
#pragma once

namespace milliner {

// Runs `steps` rounds of fma on as many independent registers as a tile has, returns the flops done.
namespace scalar {
double run_peak(long steps) noexcept;
}
namespace avx2 {
double run_peak(long steps) noexcept;
}
namespace avx512 {
double run_peak(long steps) noexcept;
}
namespace neon {
double run_peak(long steps) noexcept;
}

} // namespace milliner
