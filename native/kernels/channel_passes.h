// What the normalisations share: passes over [rows, stride] with channels along the lanes and rows in chunks
// of 64, whose sums depend on shapes only (batch_norm.h says in which order). All are bound by memory.
#pragma once

#include "kernels/rectifier.h"
#include "kernels/vector.h"

namespace milliner::MILLINER_SET {
namespace {

// Rows of a chain: its error grows with its length, so longer sums are made of chunks. A chunk of 64 channels
// is 16 KiB: what the first pass over it has read, the second finds in L1.
constexpr Index kChunkRows = 64;

// Channels that a chunk takes at a time: 128 KiB, so that passes over a chunk find it in L2.
constexpr Index kBlockChannels = 512;

// Channels of an item: a cache line, so that threads do not share the lines of their outputs.
constexpr Index kItemChannels = 16;
static_assert(kItemChannels % kLanes == 0);

// V neighbouring vectors of channels. All are full, unless there is but one.
template <int V> struct Columns {
  static constexpr int vectors = V;
  Index lanes; // of a vector that stands alone

  MILLINER_INLINE F read(const float* p, int j) const {
    return V > 1 ? load(p + j * kLanes) : load_first(p, lanes);
  }
  MILLINER_INLINE void write(float* p, int j, F v) const {
    if (V > 1)
      store(p + j * kLanes, v);
    else
      store_first(p, v, lanes);
  }
};

// Calls body(columns, first channel) for the channels from begin to end, Most vectors at a time and in the
// end fewer.
template <int Most, class Body> MILLINER_INLINE void for_columns(Index begin, Index end, const Body& body) {
  Index at = begin;
  for (; at + Most * kLanes <= end; at += Most * kLanes)
    body(Columns<Most>{kLanes}, at);
  if constexpr (Most > 1)
    for_columns<Most / 2>(at, end, body);
  else if (at < end)
    body(Columns<1>{end - at}, at);
}

// Calls body(first channel, channels) for the channels from begin to end, a block at a time.
template <class Body> MILLINER_INLINE void for_blocks(Index begin, Index end, const Body& body) {
  for (Index from = begin; from < end; from += kBlockChannels)
    body(from, smaller(kBlockChannels, end - from));
}

// The same for the channels of items.
template <class Body> MILLINER_INLINE void for_item_blocks(Range items, Index channels, const Body& body) {
  for_blocks(items.begin * kItemChannels, smaller(items.end * kItemChannels, channels), body);
}

// 1 / sqrt(v), both rounded correctly: the same bits everywhere. For a few numbers per channel only.
MILLINER_INLINE F reciprocal_root(F v) {
  F root{};
  for (int lane = 0; lane < kLanes; lane++)
    root[lane] = __builtin_sqrtf(v[lane]);
  return splat(1.0f) / root;
}

MILLINER_INLINE F splat_ratio(Index numerator, Index denominator) {
  return splat(static_cast<float>(static_cast<double>(numerator) / static_cast<double>(denominator)));
}

// The vectors of channels that a pass over a chunk takes at a time: a row of 64 channels on AVX2, so that it
// is read in one piece. Half of it took twice the time on Zen 3 (32768 x 64; bench).
constexpr int kColumnVectors = 8;

// Asks for what the next chunk will need, in the order in which it lies in memory, while this chunk is gone
// through by columns. Where one set of columns is the whole row the pass itself is in that order, and the
// hardware knows what follows; else its prefetcher does not: without this, 8192 x 256 took twice the time on
// Zen 3 (bench).
class Lookahead {
public:
  // Behind the chunk that begins at `row`.
  MILLINER_INLINE Lookahead(Index row, Index rows, Index stride, Index channels)
      : offset_((row + kChunkRows) * stride), left_(channels), columns_(channels), stride_(stride),
        wanted_(channels > kColumnVectors * kLanes && row + 2 * kChunkRows <= rows) {}

  // V vectors more of each array.
  template <int V, class... Pointer> MILLINER_INLINE void next(Pointer... arrays) {
    if (!wanted_)
      return;
    for (int line = 0; line < V * kLanes; line += kItemChannels)
      (__builtin_prefetch(arrays + offset_ + line, 0, 2), ...);
    offset_ += V * kLanes;
    left_ -= V * kLanes;
    if (left_ <= 0) {
      offset_ += stride_ + left_ - columns_;
      left_ = columns_;
    }
  }

private:
  Index offset_, left_; // of the next element from the start of the arrays; channels that are left in its row
  Index columns_, stride_;
  bool wanted_;
};

// What a pass runs over: `channels` channels of matrices with this row stride. The matrices' pointers are
// those of the first channel, and arrays of one number per channel begin with it.
struct Extent {
  Index rows, stride, channels;
};

// Calls body(columns, channel, first row, last row + 1, lookahead) for the chunks of rows ascending, and in
// each for the channels.
template <class Body> MILLINER_INLINE void for_chunks(const Extent& extent, const Body& body) {
  for (Index row = 0; row < extent.rows; row += kChunkRows) {
    Lookahead ahead(row, extent.rows, extent.stride, extent.channels);
    for_columns<kColumnVectors>(0, extent.channels, [&](auto columns, Index at) {
      body(columns, at, row, smaller(row + kChunkRows, extent.rows), ahead);
    });
  }
}

// mean and squares: mean and sum of squared distances of every channel.
MILLINER_INLINE void channel_statistics(const Extent& extent, const float* x, float* mean, float* squares) {
  const Index stride = extent.stride;
  for_chunks(extent, [&](auto columns, Index at, Index from, Index to, Lookahead& ahead) {
    constexpr int V = columns.vectors;
    F m[V] = {}, q[V] = {};
    for (Index row = from; row < to; row++)
      MILLINER_UNROLL for (int j = 0; j < V; j++) m[j] = m[j] + columns.read(x + row * stride + at, j);
    const F size = splat(static_cast<float>(to - from));
    MILLINER_UNROLL for (int j = 0; j < V; j++) m[j] = m[j] / size;
    for (Index row = from; row < to; row++) {
      ahead.next<V>(x);
      MILLINER_UNROLL for (int j = 0; j < V; j++) {
        const F distance = columns.read(x + row * stride + at, j) - m[j];
        q[j] = fma(distance, distance, q[j]);
      }
    }
    const F share = splat_ratio(to - from, to), weight = splat_ratio(from * (to - from), to);
    MILLINER_UNROLL for (int j = 0; j < V; j++) {
      if (from > 0) {
        const F old = columns.read(mean + at, j), distance = m[j] - old;
        m[j] = fma(distance, share, old);
        q[j] = columns.read(squares + at, j) + fma(distance * distance, weight, q[j]);
      }
      columns.write(mean + at, j, m[j]);
      columns.write(squares + at, j, q[j]);
    }
  });
}

// total: sum of every channel.
MILLINER_INLINE void channel_totals(const Extent& extent, const float* x, float* total) {
  for_chunks(extent, [&](auto columns, Index at, Index from, Index to, Lookahead& ahead) {
    constexpr int V = columns.vectors;
    F sum[V] = {};
    for (Index row = from; row < to; row++) {
      ahead.next<V>(x);
      MILLINER_UNROLL for (int j = 0; j < V; j++) sum[j] =
          sum[j] + columns.read(x + row * extent.stride + at, j);
    }
    MILLINER_UNROLL for (int j = 0; j < V; j++)
        columns.write(total + at, j, from > 0 ? columns.read(total + at, j) + sum[j] : sum[j]);
  });
}

// What turns x into y = (x - mean) scale + beta, an array of channels each; beta may be null where nothing
// asks for y.
struct Affine {
  const float* mean;
  const float* scale;
  const float* beta;
};

template <bool Relu>
MILLINER_INLINE void normalise(const Extent& extent, const Affine& to_y, const float* x, float* y) {
  for_chunks(extent, [&](auto columns, Index at, Index row, Index end, Lookahead& ahead) {
    constexpr int V = columns.vectors;
    F mean[V], scale[V], beta[V];
    MILLINER_UNROLL for (int j = 0; j < V; j++) {
      mean[j] = columns.read(to_y.mean + at, j);
      scale[j] = columns.read(to_y.scale + at, j);
      beta[j] = columns.read(to_y.beta + at, j);
    }
    for (; row < end; row++) {
      ahead.next<V>(x, y);
      MILLINER_UNROLL for (int j = 0; j < V; j++) {
        const F v = fma(columns.read(x + row * extent.stride + at, j) - mean[j], scale[j], beta[j]);
        columns.write(y + row * extent.stride + at, j, Relu ? rectified(v) : v);
      }
    }
  });
}

// The gradient of what `normalise` wrote: dy, where a ReLU let it through. y is computed anew, with its bits.
template <bool Relu, class Columns>
MILLINER_INLINE F upstream(Columns columns, const Affine& to_y, const float* dy, F distance, Index at,
                           int j) {
  const F g = columns.read(dy, j);
  if constexpr (Relu)
    return rectified_backward(
        g, fma(distance, columns.read(to_y.scale + at, j), columns.read(to_y.beta + at, j)));
  else
    return g;
}

// products: sum g (x - mean), sums: sum g, of every channel, with g as above.
template <bool Relu>
MILLINER_INLINE void gradient_sums(const Extent& extent, const Affine& to_y, const float* dy, const float* x,
                                   float* products, float* sums) {
  for_chunks(extent, [&](auto columns, Index at, Index from, Index to, Lookahead& ahead) {
    constexpr int V = columns.vectors;
    F product[V] = {}, sum[V] = {};
    for (Index row = from; row < to; row++) {
      ahead.next<V>(x, dy);
      const Index offset = row * extent.stride + at;
      MILLINER_UNROLL for (int j = 0; j < V; j++) {
        const F distance = columns.read(x + offset, j) - columns.read(to_y.mean + at, j);
        const F g = upstream<Relu>(columns, to_y, dy + offset, distance, at, j);
        product[j] = fma(g, distance, product[j]);
        sum[j] = sum[j] + g;
      }
    }
    MILLINER_UNROLL for (int j = 0; j < V; j++) {
      columns.write(products + at, j, from > 0 ? columns.read(products + at, j) + product[j] : product[j]);
      columns.write(sums + at, j, from > 0 ? columns.read(sums + at, j) + sum[j] : sum[j]);
    }
  });
}

// dx = g scale + (x - mean) slope + offset. dx may be dy.
template <bool Relu>
MILLINER_INLINE void normalise_backward(const Extent& extent, const Affine& to_y, const float* slope,
                                        const float* offset, const float* dy, const float* x, float* dx) {
  for_chunks(extent, [&](auto columns, Index at, Index row, Index end, Lookahead& ahead) {
    constexpr int V = columns.vectors;
    for (; row < end; row++) {
      ahead.next<V>(x, dy, dx);
      const Index from = row * extent.stride + at;
      MILLINER_UNROLL for (int j = 0; j < V; j++) {
        const F distance = columns.read(x + from, j) - columns.read(to_y.mean + at, j);
        const F g = upstream<Relu>(columns, to_y, dy + from, distance, at, j);
        const F rest = fma(distance, columns.read(slope + at, j), columns.read(offset + at, j));
        columns.write(dx + from, j, fma(g, columns.read(to_y.scale + at, j), rest));
      }
    }
  });
}

} // namespace
} // namespace milliner::MILLINER_SET
