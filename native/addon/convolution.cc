#include "addon/call.h"
#include "addon/functions.h"
#include "kernels/linear_weight.h"

namespace milliner {
namespace {

// geometry as src/addon.ts orders it; every size is a count and the window lies inside the framed image.
Conv2dGeometry conv2d_geometry(Call& call, std::size_t i) {
  std::int32_t g[11];
  if (!call.sizes(i, "geometry", 11, g))
    return {};
  const Conv2dGeometry geometry = {g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9], g[10]};
  for (int j = 0; j < 11; j++)
    if (g[j] < (j >= 5 && j <= 8 ? 1 : 0))
      call.refuse("geometry[%d] is %d, and must be %d or more", j, g[j], j >= 5 && j <= 8 ? 1 : 0);
  if (call.ok() && (geometry.height + 2 * geometry.pad_y < geometry.kernel_height ||
                    geometry.width + 2 * geometry.pad_x < geometry.kernel_width))
    call.refuse("a kernel of %d x %d does not fit into %d x %d with padding %d x %d", g[5], g[6], g[1], g[2],
                g[9], g[10]);
  // The kernels frame an image with its padding: x, w and y do not bound the size of that.
  if (call.ok() && (geometry.pad_y > geometry.kernel_height || geometry.pad_x > geometry.kernel_width))
    call.refuse("padding %d x %d is larger than the kernel, %d x %d", g[9], g[10], g[5], g[6]);
  call.product(call.product(geometry.height + 2 * geometry.pad_y, geometry.width + 2 * geometry.pad_x),
               geometry.in);
  return call.ok() ? geometry : Conv2dGeometry{};
}

Index input_size(Call& call, const Conv2dGeometry& g) {
  return call.product(call.product(g.n, call.product(g.height, g.width)), g.in);
}
Index weight_size(Call& call, const Conv2dGeometry& g) {
  return call.product(call.product(g.out, call.product(g.kernel_height, g.kernel_width)), g.in);
}
Index output_size(Call& call, const Conv2dGeometry& g) {
  return call.ok() ? call.product(call.product(g.n, call.product(g.out_height(), g.out_width())), g.out) : 0;
}

MaxPool2dGeometry pool_geometry(Call& call, std::size_t i) {
  std::int32_t g[8];
  if (!call.sizes(i, "geometry", 8, g))
    return {};
  for (int j = 0; j < 8; j++)
    if (g[j] < (j >= 4 ? 1 : 0))
      call.refuse("geometry[%d] is %d, and must be %d or more", j, g[j], j >= 4 ? 1 : 0);
  if (call.ok() && (g[1] < g[4] || g[2] < g[5]))
    call.refuse("a window of %d x %d does not fit into %d x %d", g[4], g[5], g[1], g[2]);
  const MaxPool2dGeometry geometry = {g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]};
  if (call.ok() &&
      call.product(call.product(geometry.height, geometry.width), geometry.channels) > 0x7FFFFFFF)
    call.refuse("an image of %d x %d x %d has more elements than argmax can count", g[1], g[2], g[3]);
  return geometry;
}

Index pool_input_size(Call& call, const MaxPool2dGeometry& g) {
  return call.product(call.product(g.n, call.product(g.height, g.width)), g.channels);
}
Index pool_output_size(Call& call, const MaxPool2dGeometry& g) {
  return call.ok() ? call.product(call.product(g.n, call.product(g.out_height(), g.out_width())), g.channels)
                   : 0;
}

// The pooling behind a convolution, [kernelHeight, kernelWidth, strideY, strideX], with the images that it sees.
MaxPool2dGeometry pooling_of(Call& call, std::size_t i, const Conv2dGeometry& g) {
  std::int32_t p[4];
  if (!call.sizes(i, "pool", 4, p))
    return {};
  for (int j = 0; j < 4; j++)
    if (p[j] < 1)
      call.refuse("pool[%d] is %d, and must be 1 or more", j, p[j]);
  if (!call.ok())
    return {};
  const MaxPool2dGeometry pool = {g.n, g.out_height(), g.out_width(), g.out, p[0], p[1], p[2], p[3]};
  if (pool.height < pool.kernel_height || pool.width < pool.kernel_width)
    call.refuse("a window of %d x %d does not fit into %lld x %lld", p[0], p[1],
                static_cast<long long>(pool.height), static_cast<long long>(pool.width));
  else if (call.product(call.product(pool.height, pool.width), pool.channels) > 0x7FFFFFFF)
    call.refuse("an image of %lld x %lld x %lld has more elements than argmax can count",
                static_cast<long long>(pool.height), static_cast<long long>(pool.width),
                static_cast<long long>(pool.channels));
  return call.ok() ? pool : MaxPool2dGeometry{};
}

} // namespace

napi_value addon_conv2d_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "conv2dForward", 6);
  const Conv2dGeometry g = conv2d_geometry(call, 4);
  Conv2dForward args{};
  args.x = call.floats(0, "x", input_size(call, g));
  args.w = call.floats(1, "w", weight_size(call, g));
  args.bias = call.optional_floats(2, "bias", g.out);
  args.pools = call.is_given(11);
  if (args.pools)
    args.pool = pooling_of(call, 11, g);
  const Index outputs = args.pools ? pool_output_size(call, args.pool) : output_size(call, g);
  args.y = call.output(3, "y", outputs);
  args.geometry = g;
  args.relu = call.boolean(5, "relu");
  args.gate = call.optional_floats(6, "gate", g.out);
  args.h = call.optional_output(7, "h", outputs);
  if (call.is_given(12)) {
    args.argmax = call.output_integers(12, "argmax", outputs);
    if (!args.pools)
      call.refuse("argmax is of the pooling, and none is given");
  }
  args.drop = call.is_given(9);
  if (args.drop) {
    args.keep = call.keep(8);
    args.random = call.random(9);
    if (call.is_given(10))
      args.numbers = call.ascending(10, "numbers", g.out, Index{1} << 32);
    if (!args.relu)
      call.refuse("dropout needs relu, whose zeros mark the dropped units for the backward");
  }
  if (args.h && !args.gate)
    call.refuse("h is the value before the gate, and needs one; without gate it is y");
  return call.run(call.environment().table->conv2d_forward, args);
}

napi_value addon_conv2d_input_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "conv2dInputGradient", 4);
  const Conv2dGeometry g = conv2d_geometry(call, 3);
  const Conv2dInputGradient args = {call.floats(0, "dy", output_size(call, g)),
                                    call.floats(1, "w", weight_size(call, g)),
                                    call.output(2, "dx", input_size(call, g)), g};
  return call.run(call.environment().table->conv2d_input_gradient, args);
}

napi_value addon_conv2d_weight_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "conv2dWeightGradient", 4);
  const Conv2dGeometry g = conv2d_geometry(call, 3);
  const Conv2dWeightGradient args = {call.floats(0, "dy", output_size(call, g)),
                                     call.floats(1, "x", input_size(call, g)),
                                     call.output(2, "dw", weight_size(call, g)), g};
  return call.run(call.environment().table->conv2d_weight_gradient, args);
}

napi_value addon_conv2d_weight_update(napi_env env, napi_callback_info info) {
  Call call(env, info, "conv2dWeightUpdate", 6);
  const Conv2dGeometry g = conv2d_geometry(call, 5);
  Conv2dWeightUpdate args{};
  args.dy = call.floats(0, "dy", output_size(call, g));
  args.x = call.floats(1, "x", input_size(call, g));
  args.w = call.output(2, "w", weight_size(call, g));
  args.lr = static_cast<float>(call.number(3, "lr"));
  args.locks = call.optional_words(4, "locks", call.product(g.out, lock_words(g.chain())));
  args.geometry = g;
  return call.run(call.environment().table->conv2d_weight_update, args);
}

napi_value addon_max_pool2d_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "maxPool2dForward", 4);
  const MaxPool2dGeometry g = pool_geometry(call, 3);
  const MaxPool2dForward args = {call.floats(0, "x", pool_input_size(call, g)),
                                 call.output(1, "y", pool_output_size(call, g)),
                                 call.output_integers(2, "argmax", pool_output_size(call, g)), g};
  return call.run(call.environment().table->max_pool2d_forward, args);
}

napi_value addon_max_pool2d_backward(napi_env env, napi_callback_info info) {
  Call call(env, info, "maxPool2dBackward", 4);
  const MaxPool2dGeometry g = pool_geometry(call, 3);
  const Index outputs = pool_output_size(call, g);
  const MaxPool2dBackward args = {call.floats(0, "dy", outputs), call.indices(1, "argmax", outputs),
                                  call.output(2, "dx", pool_input_size(call, g)), g};
  // argmax comes back from JavaScript: an index outside the image would write outside dx.
  if (call.ok()) {
    const Index image = g.height * g.width * g.channels;
    // One pass without a branch, which the compiler turns into vectors; the index is looked for only if there
    // is one.
    std::uint32_t outside = 0;
    for (Index i = 0; i < outputs; i++)
      outside |= static_cast<std::uint32_t>(args.argmax[i]) >= static_cast<std::uint32_t>(image) ? 1u : 0u;
    for (Index i = 0; outside && i < outputs; i++)
      if (args.argmax[i] < 0 || args.argmax[i] >= image) {
        call.refuse("argmax[%lld] is %d, outside an image of %lld elements", static_cast<long long>(i),
                    args.argmax[i], static_cast<long long>(image));
        break;
      }
  }
  return call.run(call.environment().table->max_pool2d_backward, args);
}

napi_value addon_max_pool2d_activation_backward(napi_env env, napi_callback_info info) {
  Call call(env, info, "maxPool2dActivationBackward", 10);
  const MaxPool2dGeometry g = pool_geometry(call, 7);
  const Index outputs = pool_output_size(call, g);
  MaxPool2dActivationBackward args{};
  args.dy = call.floats(0, "dy", outputs);
  args.argmax = call.integers(1, "argmax", outputs);
  args.h = call.optional_floats(2, "h", outputs);
  args.gate = call.optional_floats(3, "gate", g.channels);
  args.dv = call.output(4, "dv", pool_input_size(call, g));
  args.dgate = call.optional_output(5, "dgate", g.channels);
  args.dbias = call.optional_output(6, "dbias", g.channels);
  args.geometry = g;
  args.relu = call.boolean(8, "relu");
  args.keep = call.keep(9);
  if (!args.h && (args.relu || args.dgate))
    call.refuse("h is missing; %s needs it", args.relu ? "relu" : "dgate");
  if (call.ok() && g.overlaps())
    call.refuse("windows of %lld x %lld overlap with strides %lld x %lld",
                static_cast<long long>(g.kernel_height), static_cast<long long>(g.kernel_width),
                static_cast<long long>(g.stride_y), static_cast<long long>(g.stride_x));
  return call.run(call.environment().table->max_pool2d_activation_backward, args);
}

} // namespace milliner
