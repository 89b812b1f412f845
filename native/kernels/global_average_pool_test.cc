#include "kernels/global_average_pool_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

CASE("global_average_pool adds in the stated order, and its backward gives every position its share") {
  for (const Index channels : test::sizes_up_to(129))
    for (const Index positions : {1, 16, 63, 64, 65, 200})
      for (const Index n : {0, 1, 3}) {
        Numbers numbers(static_cast<unsigned>(channels + positions));
        const Floats x(n * positions * channels, numbers), dy(n * channels, numbers, 2);
        Floats y(n * channels, 3), dx(n * positions * channels, 2);
        const GlobalAveragePoolForward args = {x.data(), y.data(), n, positions, channels};

        RUN(global_average_pool_forward, args, 2);
        RUN(global_average_pool_backward,
            (GlobalAveragePoolBackward{dy.data(), dx.data(), n, positions, channels}), 2);

        for (Index at = 0; at < y.size(); at++) {
          const float expected = global_average_ref(args, at / channels, at % channels);
          CHECK(test::same_bits(&y[at], &expected, 1));
        }
        for (Index at = 0; at < dx.size(); at++) {
          const float expected =
              dy[at / channels / positions * channels + at % channels] / static_cast<float>(positions);
          CHECK(test::same_bits(&dx[at], &expected, 1));
        }
        CHECK(y.intact() && dx.intact());
      }
}

CASE("global_average_pool_forward takes channels beyond a block") {
  Numbers numbers(4);
  const Index n = 2, positions = 66, channels = 1100;
  const Floats x(n * positions * channels, numbers);
  Floats y(n * channels);
  const GlobalAveragePoolForward args = {x.data(), y.data(), n, positions, channels};

  RUN(global_average_pool_forward, args, 2);

  for (Index at = 0; at < y.size(); at++) {
    const float expected = global_average_ref(args, at / channels, at % channels);
    CHECK(test::same_bits(&y[at], &expected, 1));
  }
}
