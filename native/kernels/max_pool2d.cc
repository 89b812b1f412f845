#include "kernels/max_pool2d.h"

#include "kernels/block_sums.h"
#include "kernels/rectifier.h"
#include "kernels/set.h"

// Lanes are channels; items are images.

namespace milliner::MILLINER_SET {
namespace {

double pool_nanoseconds(const MaxPool2dGeometry& g) {
  return 8.0 * static_cast<double>(g.n * g.height * g.width) * static_cast<double>(g.channels) /
         kBytesPerNanosecond;
}

// The first largest of a window of kHeight x kWidth pixels (0: as the geometry says) and where it is, for
// `lanes` channels.
template <int kHeight, int kWidth>
MILLINER_INLINE void pool_window(const float* x, U first, const MaxPool2dGeometry& g, Index lanes, F& best,
                                 U& where) {
  const Index height = kHeight > 0 ? kHeight : g.kernel_height, width = kWidth > 0 ? kWidth : g.kernel_width;
  best = load_first(x, lanes);
  where = first;
  for (Index r = 0; r < height; r++)
    for (Index s = 0; s < width; s++) {
      const Index offset = (r * g.width + s) * g.channels;
      const F v = load_first(x + offset, lanes);
      const I better = (v > best) | (v != v);
      best = better ? v : best;
      where = better ? first + splat(static_cast<std::uint32_t>(offset)) : where;
    }
}

template <int kHeight, int kWidth>
void pool_image(const float* x, float* y, std::int32_t* argmax, const MaxPool2dGeometry& g) {
  for (Index oy = 0; oy < g.out_height(); oy++)
    for (Index ox = 0; ox < g.out_width(); ox++) {
      const Index corner = (oy * g.stride_y * g.width + ox * g.stride_x) * g.channels;
      for_vectors(0, g.channels, [&](Index channel, Index lanes) {
        F best;
        U where;
        pool_window<kHeight, kWidth>(x + corner + channel,
                                     splat(static_cast<std::uint32_t>(corner + channel)) + lane_numbers(), g,
                                     lanes, best, where);
        store_first(y + channel, best, lanes);
        store_first(reinterpret_cast<float*>(argmax + channel), (F)where, lanes);
      });
      y += g.channels;
      argmax += g.channels;
    }
}

void zero(float* dx, Index count) {
  for_vectors(0, count, [&](Index j, Index lanes) { store_first(dx + j, F{}, lanes); });
}

// Where windows overlap, an element may get several gradients: one after the other, outputs ascending.
void scatter_image(const float* dy, const std::int32_t* argmax, float* dx, const MaxPool2dGeometry& g) {
  zero(dx, g.height * g.width * g.channels);
  for (Index j = 0; j < g.out_height() * g.out_width() * g.channels; j++)
    dx[argmax[j]] += dy[j];
}

// Otherwise every element of dx lies in one window, or in none: it is written once.
void spread_image(const float* dy, const std::int32_t* argmax, float* dx, const MaxPool2dGeometry& g) {
  const Index row = g.width * g.channels;
  for (Index oy = 0; oy < g.out_height(); oy++) {
    for (Index ox = 0; ox < g.out_width(); ox++, dy += g.channels, argmax += g.channels) {
      const Index corner = (oy * g.stride_y * g.width + ox * g.stride_x) * g.channels;
      for_vectors(0, g.channels, [&](Index channel, Index lanes) {
        const F d = load_first(dy + channel, lanes) + F{}; // as added to +0: -0 becomes +0
        const U where = (U)load_first(reinterpret_cast<const float*>(argmax + channel), lanes);
        const U first = splat(static_cast<std::uint32_t>(corner + channel)) + lane_numbers();
        for (Index r = 0; r < g.kernel_height; r++)
          for (Index s = 0; s < g.kernel_width; s++) {
            const Index offset = (r * g.width + s) * g.channels;
            const I here = where == first + splat(static_cast<std::uint32_t>(offset));
            store_first(dx + corner + channel + offset, here ? d : F{}, lanes);
          }
      });
    }
    // What lies between the windows of this row of outputs, right of them, and below.
    for (Index r = 0; r < g.kernel_height; r++) {
      float* line = dx + (oy * g.stride_y + r) * row;
      for (Index ox = 0; ox < g.out_width(); ox++) {
        const Index end = ox * g.stride_x + g.kernel_width;
        zero(line + end * g.channels,
             ((ox + 1 < g.out_width() ? (ox + 1) * g.stride_x : g.width) - end) * g.channels);
      }
    }
    const Index end = oy * g.stride_y + g.kernel_height;
    zero(dx + end * row, ((oy + 1 < g.out_height() ? (oy + 1) * g.stride_y : g.height) - end) * row);
  }
}

// Channels [channel, channel + V vectors), the last of `last_lanes`: as in activation.cc, the chains of the
// sums stay in registers.
template <int V>
void activation_channels(const MaxPool2dActivationBackward& args, Index channel, Index last_lanes) {
  const MaxPool2dGeometry& g = args.geometry;
  const F scale = splat(static_cast<float>(1.0 / args.keep));
  const auto lanes_of_vector = [&](int j) { return j + 1 < V ? Index{kLanes} : last_lanes; };
  F gate[V];
  MILLINER_UNROLL for (int j = 0; j < V; j++) gate[j] =
      args.gate ? load_first(args.gate + channel + j * kLanes, lanes_of_vector(j)) : F{};
  BlockSums<V> dgate, dbias;
  float* dv = args.dv + channel;
  const auto zero_pixels = [&](Index count) {
    dbias.pass(count);
    for (Index i = 0; i < count; i++, dv += g.channels)
      MILLINER_UNROLL for (int j = 0; j < V; j++) store_first(dv + j * kLanes, F{}, lanes_of_vector(j));
  };
  for (Index image = 0; image < g.n; image++) {
    for (Index oy = 0; oy < g.out_height(); oy++) {
      const Index next = oy + 1 < g.out_height() ? (oy + 1) * g.stride_y : g.height;
      for (Index r = 0; r < g.kernel_height; r++) {
        Index at = ((image * g.out_height() + oy) * g.out_width()) * g.channels + channel;
        for (Index ox = 0; ox < g.out_width(); ox++, at += g.channels) {
          F d[V];
          U from_first[V]; // where the maximum is, counted from the first pixel of this row of the window
          const Index first = ((oy * g.stride_y + r) * g.width + ox * g.stride_x) * g.channels + channel;
          MILLINER_UNROLL for (int j = 0; j < V; j++) {
            const Index i = at + j * kLanes, lanes = lanes_of_vector(j);
            const F dy = load_first(args.dy + i, lanes);
            const F h = args.h ? load_first(args.h + i, lanes) : F{};
            if (args.dgate && r == 0)
              dgate.block[j] = fma(dy, h, dgate.block[j]);
            const F u = args.gate ? (gate[j] == F{} ? F{} : dy * gate[j]) : dy;
            d[j] = (u + F{}) * scale;
            if (args.relu)
              d[j] = rectified_backward(d[j], h);
            from_first[j] = (U)load_first(reinterpret_cast<const float*>(args.argmax + i), lanes) -
                            splat(static_cast<std::uint32_t>(first + j * kLanes)) - lane_numbers();
          }
          if (r == 0)
            dgate.pass(1);
          for (Index s = 0; s < g.kernel_width; s++, dv += g.channels) {
            MILLINER_UNROLL for (int j = 0; j < V; j++) {
              const F here = from_first[j] == splat(static_cast<std::uint32_t>(s * g.channels)) ? d[j] : F{};
              if (args.dbias)
                dbias.block[j] = dbias.block[j] + here;
              store_first(dv + j * kLanes, here, lanes_of_vector(j));
            }
            dbias.pass(1);
          }
          zero_pixels((ox + 1 < g.out_width() ? (ox + 1) * g.stride_x : g.width) - ox * g.stride_x -
                      g.kernel_width);
        }
      }
      zero_pixels((next - oy * g.stride_y - g.kernel_height) * g.width);
    }
  }
  MILLINER_UNROLL for (int j = 0; j < V; j++) {
    const Index at = channel + j * kLanes;
    if (args.dgate)
      store_first(args.dgate + at, dgate.total(j), lanes_of_vector(j));
    if (args.dbias)
      store_first(args.dbias + at, dbias.total(j), lanes_of_vector(j));
  }
}

constexpr Index kChannels = 4 * kLanes; // of an item

} // namespace

Work max_pool2d_forward_work(const MaxPool2dForward& args) noexcept {
  return {args.geometry.n, pool_nanoseconds(args.geometry), 0};
}

void max_pool2d_forward_run(const MaxPool2dForward& args, Range items, float*) noexcept {
  const MaxPool2dGeometry& g = args.geometry;
  const Index image = g.height * g.width * g.channels;
  const Index pooled = g.out_height() * g.out_width() * g.channels;
  const bool two = g.kernel_height == 2 && g.kernel_width == 2;
  for (Index i = items.begin; i < items.end; i++)
    (two ? pool_image<2, 2> : pool_image<0, 0>)(args.x + i * image, args.y + i * pooled,
                                                args.argmax + i * pooled, g);
}

Work max_pool2d_backward_work(const MaxPool2dBackward& args) noexcept {
  return {args.geometry.n, pool_nanoseconds(args.geometry), 0};
}

void max_pool2d_backward_run(const MaxPool2dBackward& args, Range items, float*) noexcept {
  const MaxPool2dGeometry& g = args.geometry;
  const Index image = g.height * g.width * g.channels;
  const Index pooled = g.out_height() * g.out_width() * g.channels;
  for (Index i = items.begin; i < items.end; i++)
    (g.overlaps() ? scatter_image : spread_image)(args.dy + i * pooled, args.argmax + i * pooled,
                                                  args.dx + i * image, g);
}

Work max_pool2d_activation_backward_work(const MaxPool2dActivationBackward& args) noexcept {
  return {ceil_div(args.geometry.channels, kChannels), pool_nanoseconds(args.geometry), 0};
}

void max_pool2d_activation_backward_run(const MaxPool2dActivationBackward& args, Range items,
                                        float*) noexcept {
  const Index end = smaller(items.end * kChannels, args.geometry.channels);
  Index channel = items.begin * kChannels;
  for (; channel + kChannels <= end; channel += kChannels)
    activation_channels<4>(args, channel, kLanes);
  for_vectors(channel, end, [&](Index at, Index lanes) { activation_channels<1>(args, at, lanes); });
}

} // namespace milliner::MILLINER_SET
