#include "addon/call.h"
#include "addon/functions.h"

namespace milliner {
namespace {

// n, positions, channels, groups from argument i on.
GroupNormShape group_norm_shape(Call& call, std::size_t i) {
  const GroupNormShape shape = {call.count(i, "n"), call.count(i + 1, "positions", 1),
                                call.count(i + 2, "channels", 1), call.count(i + 3, "groups", 1)};
  if (call.ok() && shape.channels % shape.groups != 0)
    call.refuse("channels is %lld, and must be a multiple of groups, %lld",
                static_cast<long long>(shape.channels), static_cast<long long>(shape.groups));
  return shape;
}

Index elements(Call& call, Index n, Index positions, Index channels) {
  return call.product(call.product(n, positions), channels);
}
Index elements(Call& call, const GroupNormShape& shape) {
  return elements(call, shape.n, shape.positions, shape.channels);
}

} // namespace

napi_value addon_batch_norm_statistics(napi_env env, napi_callback_info info) {
  Call call(env, info, "batchNormStatistics", 5);
  const Index rows = call.count(3, "rows", 1), channels = call.count(4, "channels");
  const BatchNormStatistics args = {call.floats(0, "x", call.product(rows, channels)),
                                    call.output(1, "mean", channels), call.output(2, "variance", channels),
                                    rows, channels};
  return call.run(call.environment().table->batch_norm_statistics, args);
}

napi_value addon_batch_norm_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "batchNormForward", 10);
  const Index rows = call.count(6, "rows"), channels = call.count(7, "channels");
  const Index size = call.product(rows, channels);
  const BatchNormForward args = {call.floats(0, "x", size),
                                 call.floats(1, "mean", channels),
                                 call.floats(2, "variance", channels),
                                 call.floats(3, "gamma", channels),
                                 call.floats(4, "beta", channels),
                                 call.output(5, "y", size),
                                 rows,
                                 channels,
                                 call.positive(8, "epsilon"),
                                 call.boolean(9, "relu")};
  return call.run(call.environment().table->batch_norm_forward, args);
}

napi_value addon_batch_norm_backward(napi_env env, napi_callback_info info) {
  Call call(env, info, "batchNormBackward", 14);
  const Index rows = call.count(9, "rows"), channels = call.count(10, "channels");
  const Index size = call.product(rows, channels);
  const BatchNormBackward args = {call.floats(0, "dy", size),
                                  call.floats(1, "x", size),
                                  call.floats(2, "mean", channels),
                                  call.floats(3, "variance", channels),
                                  call.floats(4, "gamma", channels),
                                  call.floats(5, "beta", channels),
                                  call.output(6, "dx", size, {0}),
                                  call.output(7, "dgamma", channels),
                                  call.output(8, "dbeta", channels),
                                  rows,
                                  channels,
                                  call.positive(11, "epsilon"),
                                  call.boolean(12, "relu"),
                                  call.boolean(13, "training")};
  return call.run(call.environment().table->batch_norm_backward, args);
}

napi_value addon_group_norm_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "groupNormForward", 11);
  const GroupNormShape shape = group_norm_shape(call, 6);
  const Index size = elements(call, shape), statistics = call.product(shape.n, shape.groups);
  const GroupNormForward args = {call.floats(0, "x", size),
                                 call.floats(1, "gamma", shape.channels),
                                 call.floats(2, "beta", shape.channels),
                                 call.output(3, "y", size),
                                 call.output(4, "mean", statistics),
                                 call.output(5, "root", statistics),
                                 shape,
                                 call.positive(10, "epsilon")};
  return call.run(call.environment().table->group_norm_forward, args);
}

napi_value addon_group_norm_input_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "groupNormInputGradient", 10);
  const GroupNormShape shape = group_norm_shape(call, 6);
  const Index size = elements(call, shape), statistics = call.product(shape.n, shape.groups);
  const GroupNormInputGradient args = {call.floats(0, "dy", size),
                                       call.floats(1, "x", size),
                                       call.floats(2, "mean", statistics),
                                       call.floats(3, "root", statistics),
                                       call.floats(4, "gamma", shape.channels),
                                       call.output(5, "dx", size, {0}),
                                       shape};
  return call.run(call.environment().table->group_norm_input_gradient, args);
}

napi_value addon_group_norm_parameter_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "groupNormParameterGradient", 10);
  const GroupNormShape shape = group_norm_shape(call, 6);
  const Index size = elements(call, shape), statistics = call.product(shape.n, shape.groups);
  const GroupNormParameterGradient args = {call.floats(0, "dy", size),
                                           call.floats(1, "x", size),
                                           call.floats(2, "mean", statistics),
                                           call.floats(3, "root", statistics),
                                           call.output(4, "dgamma", shape.channels),
                                           call.output(5, "dbeta", shape.channels),
                                           shape};
  return call.run(call.environment().table->group_norm_parameter_gradient, args);
}

napi_value addon_global_average_pool_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "globalAveragePoolForward", 5);
  const Index n = call.count(2, "n"), positions = call.count(3, "positions", 1),
              channels = call.count(4, "channels");
  const GlobalAveragePoolForward args = {call.floats(0, "x", elements(call, n, positions, channels)),
                                         call.output(1, "y", call.product(n, channels)), n, positions,
                                         channels};
  return call.run(call.environment().table->global_average_pool_forward, args);
}

napi_value addon_global_average_pool_backward(napi_env env, napi_callback_info info) {
  Call call(env, info, "globalAveragePoolBackward", 5);
  const Index n = call.count(2, "n"), positions = call.count(3, "positions", 1),
              channels = call.count(4, "channels");
  const GlobalAveragePoolBackward args = {call.floats(0, "dy", call.product(n, channels)),
                                          call.output(1, "dx", elements(call, n, positions, channels)), n,
                                          positions, channels};
  return call.run(call.environment().table->global_average_pool_backward, args);
}

} // namespace milliner
