#include "kernels/max_pool2d.h"

#include "kernels/set.h"
#include "kernels/vector.h"

// Lanes are channels; items are images.

namespace milliner::MILLINER_SET {
namespace {

double pool_nanoseconds(const MaxPool2dGeometry& g) {
  return 8.0 * static_cast<double>(g.n * g.height * g.width) * static_cast<double>(g.channels) /
         kBytesPerNanosecond;
}

void pool_image(const float* x, float* y, std::int32_t* argmax, const MaxPool2dGeometry& g) {
  for (Index oy = 0; oy < g.out_height(); oy++)
    for (Index ox = 0; ox < g.out_width(); ox++) {
      const Index corner = (oy * g.stride_y * g.width + ox * g.stride_x) * g.channels;
      for_vectors(0, g.channels, [&](Index channel, Index lanes) {
        const I first = (I)(splat(static_cast<std::uint32_t>(corner + channel)) + lane_numbers());
        F best = load_first(x + corner + channel, lanes);
        I where = first;
        for (Index r = 0; r < g.kernel_height; r++)
          for (Index s = 0; s < g.kernel_width; s++) {
            const Index offset = (r * g.width + s) * g.channels;
            const F v = load_first(x + corner + channel + offset, lanes);
            const I better = (v > best) | (v != v);
            best = better ? v : best;
            where = better ? first + (I)splat(static_cast<std::uint32_t>(offset)) : where;
          }
        store_first(y, best, lanes);
        store_first(reinterpret_cast<float*>(argmax), (F)where, lanes);
        y += lanes;
        argmax += lanes;
      });
    }
}

} // namespace

Work max_pool2d_forward_work(const MaxPool2dForward& args) noexcept {
  return {args.geometry.n, pool_nanoseconds(args.geometry), 0};
}

void max_pool2d_forward_run(const MaxPool2dForward& args, Range items, float*) noexcept {
  const MaxPool2dGeometry& g = args.geometry;
  const Index image = g.height * g.width * g.channels;
  const Index pooled = g.out_height() * g.out_width() * g.channels;
  for (Index i = items.begin; i < items.end; i++)
    pool_image(args.x + i * image, args.y + i * pooled, args.argmax + i * pooled, g);
}

Work max_pool2d_backward_work(const MaxPool2dBackward& args) noexcept {
  return {args.geometry.n, pool_nanoseconds(args.geometry), 0};
}

void max_pool2d_backward_run(const MaxPool2dBackward& args, Range items, float*) noexcept {
  const MaxPool2dGeometry& g = args.geometry;
  const Index image = g.height * g.width * g.channels;
  const Index pooled = g.out_height() * g.out_width() * g.channels;
  for (Index i = items.begin; i < items.end; i++) {
    float* dx = args.dx + i * image;
    for_vectors(0, image, [&](Index j, Index lanes) { store_first(dx + j, F{}, lanes); });
    for (Index j = i * pooled; j < (i + 1) * pooled; j++)
      dx[args.argmax[j]] += args.dy[j];
  }
}

} // namespace milliner::MILLINER_SET
