#include "kernels/batch_norm.h"

#include "kernels/channel_passes.h"
#include "kernels/set.h"

// A thread takes its channels a block at a time, all passes of one before the next. What a pass needs of a
// channel is made once and lies in the workspace, so that an element costs two operations.

namespace milliner::MILLINER_SET {
namespace {

double nanoseconds(Index rows, Index channels, double bytes) {
  return bytes * static_cast<double>(rows) * static_cast<double>(channels) / kBytesPerNanosecond;
}

// gamma / sqrt(variance + epsilon) of a block's channels.
template <class Args> void set_scale(const Args& args, Index first, Index channels, float* scale) {
  const F epsilon = splat(static_cast<float>(args.epsilon));
  for_columns<1>(0, channels, [&](auto columns, Index at) {
    const F root = reciprocal_root(columns.read(args.variance + first + at, 0) + epsilon);
    columns.write(scale + at, 0, columns.read(args.gamma + first + at, 0) * root);
  });
}

template <bool Relu>
void backward_block(const BatchNormBackward& args, Index first, Index channels, float* workspace) {
  float* const scale = workspace;
  float* const slope = workspace + kBlockChannels;
  float* const offset = workspace + 2 * kBlockChannels;
  const Extent extent = {args.rows, args.channels, channels};
  const Affine to_y = {args.mean + first, scale, args.beta + first};
  set_scale(args, first, channels, scale);
  for_columns<1>(0, channels, [&](auto columns, Index at) {
    columns.write(args.dgamma + first + at, 0, F{});
    columns.write(args.dbeta + first + at, 0, F{});
  });
  gradient_sums<Relu>(extent, to_y, args.dy + first, args.x + first, args.dgamma + first, args.dbeta + first);
  const F epsilon = splat(static_cast<float>(args.epsilon)), rows = splat(static_cast<float>(args.rows));
  for_columns<1>(0, channels, [&](auto columns, Index at) {
    const F root = reciprocal_root(columns.read(args.variance + first + at, 0) + epsilon);
    const F dgamma = columns.read(args.dgamma + first + at, 0) * root + F{};
    const F dbeta = columns.read(args.dbeta + first + at, 0) + F{};
    const F negative = -columns.read(scale + at, 0);
    columns.write(args.dgamma + first + at, 0, dgamma);
    columns.write(args.dbeta + first + at, 0, dbeta);
    columns.write(slope + at, 0, args.training ? negative * root * (dgamma / rows) : F{});
    columns.write(offset + at, 0, args.training ? negative * (dbeta / rows) : F{});
  });
  normalise_backward<Relu>(extent, to_y, slope, offset, args.dy + first, args.x + first, args.dx + first);
}

} // namespace

Work batch_norm_statistics_work(const BatchNormStatistics& args) noexcept {
  return {ceil_div(args.channels, kItemChannels), nanoseconds(args.rows, args.channels, 4), 0};
}

void batch_norm_statistics_run(const BatchNormStatistics& args, Range items, float*) noexcept {
  for_item_blocks(items, args.channels, [&](Index first, Index channels) {
    float* const variance = args.variance + first;
    channel_statistics({args.rows, args.channels, channels}, args.x + first, args.mean + first, variance);
    const F rows = splat(static_cast<float>(args.rows));
    for_columns<1>(0, channels, [&](auto columns, Index at) {
      columns.write(variance + at, 0, columns.read(variance + at, 0) / rows);
    });
  });
}

Work batch_norm_forward_work(const BatchNormForward& args) noexcept {
  return {ceil_div(args.channels, kItemChannels), nanoseconds(args.rows, args.channels, 8), kBlockChannels};
}

void batch_norm_forward_run(const BatchNormForward& args, Range items, float* workspace) noexcept {
  for_item_blocks(items, args.channels, [&](Index first, Index channels) {
    set_scale(args, first, channels, workspace);
    const Extent extent = {args.rows, args.channels, channels};
    const Affine to_y = {args.mean + first, workspace, args.beta + first};
    if (args.relu)
      normalise<true>(extent, to_y, args.x + first, args.y + first);
    else
      normalise<false>(extent, to_y, args.x + first, args.y + first);
  });
}

Work batch_norm_backward_work(const BatchNormBackward& args) noexcept {
  return {ceil_div(args.channels, kItemChannels), nanoseconds(args.rows, args.channels, 20),
          3 * kBlockChannels};
}

void batch_norm_backward_run(const BatchNormBackward& args, Range items, float* workspace) noexcept {
  for_item_blocks(items, args.channels, [&](Index first, Index channels) {
    if (args.relu)
      backward_block<true>(args, first, channels, workspace);
    else
      backward_block<false>(args, first, channels, workspace);
  });
}

} // namespace milliner::MILLINER_SET
