#include "addon/call.h"
#include "addon/functions.h"

namespace milliner {
namespace {

napi_value unary(napi_env env, napi_callback_info info, const char* name, Kernel<Unary> Table::* kernel) {
  Call call(env, info, name, 2);
  Unary args{};
  args.x = call.floats(0, "the input", 0, &args.n);
  args.y = call.output(1, "the output", args.n, {0});
  return call.run(call.environment().table->*kernel, args);
}

napi_value binary(napi_env env, napi_callback_info info, const char* name, Kernel<Binary> Table::* kernel) {
  Call call(env, info, name, 3);
  Binary args{};
  args.a = call.floats(0, "the first input", 0, &args.n);
  args.b = call.floats(1, "the second input", args.n);
  args.out = call.output(2, "the output", args.n, {0, 1});
  return call.run(call.environment().table->*kernel, args);
}

napi_value number_of(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

// Scratch for `count` totals of a reduction.
template <class Number> Number* totals(Call& call, Index count) {
  const std::size_t floats = static_cast<std::size_t>(count) * sizeof(Number) / sizeof(float);
  auto* memory = reinterpret_cast<Number*>(call.environment().totals.reserve(floats));
  if (!memory)
    call.refuse("no memory for %lld partial results", static_cast<long long>(count));
  return memory;
}

} // namespace

napi_value addon_exp(napi_env env, napi_callback_info info) { return unary(env, info, "exp", &Table::exp); }
napi_value addon_log(napi_env env, napi_callback_info info) { return unary(env, info, "log", &Table::log); }
napi_value addon_tanh(napi_env env, napi_callback_info info) {
  return unary(env, info, "tanh", &Table::tanh);
}
napi_value addon_sigmoid(napi_env env, napi_callback_info info) {
  return unary(env, info, "sigmoid", &Table::sigmoid);
}
napi_value addon_relu(napi_env env, napi_callback_info info) {
  return unary(env, info, "relu", &Table::relu);
}

napi_value addon_add(napi_env env, napi_callback_info info) { return binary(env, info, "add", &Table::add); }
napi_value addon_multiply(napi_env env, napi_callback_info info) {
  return binary(env, info, "multiply", &Table::multiply);
}
napi_value addon_relu_backward(napi_env env, napi_callback_info info) {
  return binary(env, info, "reluBackward", &Table::relu_backward);
}

napi_value addon_scale(napi_env env, napi_callback_info info) {
  Call call(env, info, "scale", 3);
  Scale args{};
  args.x = call.floats(0, "a", 0, &args.n);
  args.factor = static_cast<float>(call.number(1, "factor"));
  args.y = call.output(2, "out", args.n, {0});
  return call.run(call.environment().table->scale, args);
}

napi_value addon_clamp(napi_env env, napi_callback_info info) {
  Call call(env, info, "clamp", 4);
  Clamp args{};
  args.x = call.floats(0, "a", 0, &args.n);
  args.low = static_cast<float>(call.number(1, "low"));
  args.high = static_cast<float>(call.number(2, "high"));
  args.y = call.output(3, "out", args.n, {0});
  if (call.ok() && !(args.low <= args.high))
    call.refuse("low is %g and high is %g; low must not be above high", static_cast<double>(args.low),
                static_cast<double>(args.high));
  return call.run(call.environment().table->clamp, args);
}

napi_value addon_sum(napi_env env, napi_callback_info info) {
  Call call(env, info, "sum", 1);
  Sum args{};
  args.x = call.floats(0, "x", 0, &args.n);
  const Index chunks = ceil_div(args.n, kSumChunk);
  args.totals = totals<float>(call, chunks);
  call.run(call.environment().table->sum, args);
  const FlushMode flush;
  return call.ok() ? number_of(env, static_cast<double>(add_ascending(args.totals, chunks))) : nullptr;
}

napi_value addon_sum_squares(napi_env env, napi_callback_info info) {
  Call call(env, info, "sumSquares", 1);
  double total = 0;
  for (std::size_t i = 0; i == 0 || (i < Call::kMostArguments && call.is_given(i)); i++) {
    SumSquares args{};
    args.x = call.floats(i, "x", 0, &args.n);
    const Index chunks = ceil_div(args.n, kSumChunk);
    args.totals = totals<double>(call, chunks);
    call.run(call.environment().table->sum_squares, args);
    if (!call.ok())
      return nullptr;
    const FlushMode flush;
    total = total + add_ascending(args.totals, chunks);
  }
  return number_of(env, total);
}

napi_value addon_column_sum(napi_env env, napi_callback_info info) {
  Call call(env, info, "columnSum", 4);
  const Index rows = call.count(2, "rows"), units = call.count(3, "units");
  const ColumnSum args = {call.floats(0, "x", call.product(rows, units)), call.output(1, "out", units), rows,
                          units};
  return call.run(call.environment().table->column_sum, args);
}

napi_value addon_all_finite(napi_env env, napi_callback_info info) {
  Call call(env, info, "allFinite", 1);
  AllFinite args{};
  args.x = call.floats(0, "x", 0, &args.n);
  const Index chunks = ceil_div(args.n, kFiniteChunk);
  args.found = totals<std::uint32_t>(call, chunks);
  call.run(call.environment().table->all_finite, args);
  if (!call.ok())
    return nullptr;
  napi_value result;
  napi_get_boolean(env, !any_found(args.found, chunks), &result);
  return result;
}

} // namespace milliner
