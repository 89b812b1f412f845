#include "kernels/global_average_pool.h"

#include "kernels/channel_passes.h"
#include "kernels/set.h"

namespace milliner::MILLINER_SET {
namespace {

template <class Args> Work examples_of(const Args& args) {
  const double elements =
      static_cast<double>(args.n) * static_cast<double>(args.positions) * static_cast<double>(args.channels);
  return {args.channels == 0 ? 0 : args.n, 4.0 * elements / kBytesPerNanosecond, 0};
}

} // namespace

Work global_average_pool_forward_work(const GlobalAveragePoolForward& args) noexcept {
  return examples_of(args);
}

void global_average_pool_forward_run(const GlobalAveragePoolForward& args, Range items, float*) noexcept {
  const F positions = splat(static_cast<float>(args.positions));
  for (Index i = items.begin; i < items.end; i++) {
    const float* x = args.x + i * args.positions * args.channels;
    float* y = args.y + i * args.channels;
    for_blocks(0, args.channels, [&](Index first, Index channels) {
      channel_totals({args.positions, args.channels, channels}, x + first, y + first);
    });
    for_columns<1>(0, args.channels, [&](auto columns, Index at) {
      columns.write(y + at, 0, columns.read(y + at, 0) / positions + F{});
    });
  }
}

Work global_average_pool_backward_work(const GlobalAveragePoolBackward& args) noexcept {
  return examples_of(args);
}

void global_average_pool_backward_run(const GlobalAveragePoolBackward& args, Range items, float*) noexcept {
  const F positions = splat(static_cast<float>(args.positions));
  for (Index i = items.begin; i < items.end; i++) {
    const float* dy = args.dy + i * args.channels;
    float* first = args.dx + i * args.positions * args.channels;
    for_columns<1>(0, args.channels, [&](auto columns, Index at) {
      columns.write(first + at, 0, columns.read(dy + at, 0) / positions);
    });
    for (Index position = 1; position < args.positions; position++)
      for_columns<kColumnVectors>(0, args.channels, [&](auto columns, Index at) {
        for (int j = 0; j < columns.vectors; j++)
          columns.write(first + position * args.channels + at, j, columns.read(first + at, j));
      });
  }
}

} // namespace milliner::MILLINER_SET
