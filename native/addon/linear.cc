#include "addon/call.h"
#include "addon/functions.h"
#include "dispatch/bf16.h"

// The products in float32 and in bf16: the same arguments, other kernels.

namespace milliner {
namespace {

LinearForward read_forward(Call& call) {
  const Index n = call.count(6, "n"), k = call.count(7, "k"), m = call.count(8, "m");
  LinearForward args{};
  args.x = call.floats(0, "x", call.product(n, k));
  args.w = call.floats(1, "w", call.product(m, k));
  args.bias = call.optional_floats(2, "bias", m);
  args.gate = call.optional_floats(3, "gate", m);
  args.h = call.optional_output(4, "h", call.product(n, m));
  args.y = call.output(5, "y", call.product(n, m));
  args.n = n, args.k = k, args.m = m;
  args.relu = call.boolean(9, "relu");
  args.drop = call.is_given(11);
  if (args.drop) {
    args.keep = call.keep(10);
    args.random = call.random(11);
    if (!args.relu)
      call.refuse("dropout needs relu, whose zeros mark the dropped units for the backward");
  }
  if (call.is_given(12))
    args.numbers = call.ascending(12, "numbers", m, Index{1} << 32);
  if (args.h && !args.gate)
    call.refuse("h is the value before the gate, and needs one; without gate it is y");
  return args;
}

LinearInputGradient read_input_gradient(Call& call) {
  const Index n = call.count(3, "n"), k = call.count(4, "k"), m = call.count(5, "m");
  return {call.floats(0, "dy", call.product(n, m)),
          call.floats(1, "w", call.product(m, k)),
          call.output(2, "dx", call.product(n, k)),
          n,
          k,
          m};
}

LinearWeightGradient read_weight_gradient(Call& call) {
  const Index n = call.count(3, "n"), k = call.count(4, "k"), m = call.count(5, "m");
  return {call.floats(0, "dy", call.product(n, m)),
          call.floats(1, "x", call.product(n, k)),
          call.output(2, "dw", call.product(m, k)),
          n,
          k,
          m};
}

// What the three updates have in common: from `post` on the arguments are the same,
// `at` is the number of post.
template <class Args> void read_update(Call& call, Args& args, std::size_t at) {
  const Index n = call.count(at + 3, "n"), k = call.count(at + 4, "k"), m = call.count(at + 5, "m");
  args.dy = call.floats(0, "dy", call.product(n, m));
  args.x = call.floats(1, "x", call.product(n, k));
  args.w = call.output(2, "w", call.product(m, k));
  args.post = call.optional_floats(at, "post", m);
  args.pre = call.optional_floats(at + 1, "pre", k);
  args.locks = call.optional_words(at + 2, "locks", call.product(m, lock_words(k)));
  args.n = n, args.k = k, args.m = m;
  if (args.pre && !args.post)
    call.refuse("pre needs post: the condition is 1 - min(post, pre)");
}

LinearWeightUpdate read_sgd_update(Call& call) {
  LinearWeightUpdate args{};
  read_update(call, args, 4);
  args.lr = static_cast<float>(call.number(3, "lr"));
  return args;
}

LinearWeightMomentum read_momentum_update(Call& call) {
  LinearWeightMomentum args{};
  read_update(call, args, 6);
  args.velocity = call.optional_output(3, "velocity", call.product(args.m, args.k));
  args.factors = call.momentum_factors(4, 5);
  return args;
}

LinearWeightAdam read_adam_update(Call& call) {
  LinearWeightAdam args{};
  read_update(call, args, 6);
  args.mean = call.output(3, "mean", call.product(args.m, args.k));
  args.square = call.output(4, "square", call.product(args.m, args.k));
  args.factors = call.adam_factors(5);
  return args;
}

template <class Args> napi_value run_bf16(Call& call, Kernel<Args> Bf16Table::* kernel, const Args& args) {
  const Bf16Choice& choice = chosen_bf16();
  if (choice.table)
    return call.run(choice.table->*kernel, args);
  call.refuse("there are no bf16 kernels here, because %s", choice.reason.c_str());
  return nullptr;
}

} // namespace

napi_value addon_linear_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "linearForward", 13);
  return call.run(call.environment().table->linear_forward, read_forward(call));
}
napi_value addon_bf16_linear_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "bf16LinearForward", 13);
  return run_bf16(call, &Bf16Table::linear_forward, read_forward(call));
}

napi_value addon_linear_input_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "linearInputGradient", 6);
  return call.run(call.environment().table->linear_input_gradient, read_input_gradient(call));
}
napi_value addon_bf16_linear_input_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "bf16LinearInputGradient", 6);
  return run_bf16(call, &Bf16Table::linear_input_gradient, read_input_gradient(call));
}

napi_value addon_linear_weight_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "linearWeightGradient", 6);
  return call.run(call.environment().table->linear_weight_gradient, read_weight_gradient(call));
}
napi_value addon_bf16_linear_weight_gradient(napi_env env, napi_callback_info info) {
  Call call(env, info, "bf16LinearWeightGradient", 6);
  return run_bf16(call, &Bf16Table::linear_weight_gradient, read_weight_gradient(call));
}

napi_value addon_linear_weight_update(napi_env env, napi_callback_info info) {
  Call call(env, info, "linearWeightUpdate", 10);
  return call.run(call.environment().table->linear_weight_update, read_sgd_update(call));
}
napi_value addon_bf16_linear_weight_update(napi_env env, napi_callback_info info) {
  Call call(env, info, "bf16LinearWeightUpdate", 10);
  return run_bf16(call, &Bf16Table::linear_weight_update, read_sgd_update(call));
}

napi_value addon_linear_weight_momentum(napi_env env, napi_callback_info info) {
  Call call(env, info, "linearWeightMomentum", 12);
  return call.run(call.environment().table->linear_weight_momentum, read_momentum_update(call));
}
napi_value addon_bf16_linear_weight_momentum(napi_env env, napi_callback_info info) {
  Call call(env, info, "bf16LinearWeightMomentum", 12);
  return run_bf16(call, &Bf16Table::linear_weight_momentum, read_momentum_update(call));
}

napi_value addon_linear_weight_adam(napi_env env, napi_callback_info info) {
  Call call(env, info, "linearWeightAdam", 12);
  return call.run(call.environment().table->linear_weight_adam, read_adam_update(call));
}
napi_value addon_bf16_linear_weight_adam(napi_env env, napi_callback_info info) {
  Call call(env, info, "bf16LinearWeightAdam", 12);
  return run_bf16(call, &Bf16Table::linear_weight_adam, read_adam_update(call));
}

} // namespace milliner
