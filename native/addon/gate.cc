#include "addon/call.h"
#include "addon/functions.h"

namespace milliner {

napi_value addon_activation_backward(napi_env env, napi_callback_info info) {
  Call call(env, info, "activationBackward", 10);
  const Index rows = call.count(6, "rows"), units = call.count(7, "units");
  const Index size = call.product(rows, units);
  ActivationBackward args{};
  args.dy = call.floats(0, "dy", size);
  args.h = call.optional_floats(1, "h", size);
  args.gate = call.optional_floats(2, "gate", units);
  args.dv = call.output(3, "dv", size, {0});
  args.dgate = call.optional_output(4, "dgate", units);
  args.dbias = call.optional_output(5, "dbias", units);
  args.rows = rows, args.units = units;
  args.relu = call.boolean(8, "relu");
  args.keep = call.keep(9);
  if (!args.h && (args.relu || args.dgate))
    call.refuse("h is missing; %s needs it", args.relu ? "relu" : "dgate");
  return call.run(call.environment().table->activation_backward, args);
}

napi_value addon_gate_apply(napi_env env, napi_callback_info info) {
  Call call(env, info, "gateApply", 5);
  const Index rows = call.count(3, "rows"), units = call.count(4, "units");
  const GateApply args = {call.floats(0, "h", call.product(rows, units)), call.floats(1, "gate", units),
                          call.output(2, "y", call.product(rows, units)), rows, units};
  return call.run(call.environment().table->gate_apply, args);
}

napi_value addon_gate_forward(napi_env env, napi_callback_info info) {
  Call call(env, info, "gateForward", 4);
  GateForward args{};
  args.e = call.floats(0, "e", 0, &args.units);
  args.a = call.output(1, "a", args.units, {0});
  args.s = call.positive(2, "s");
  const Index rule = call.count(3, "rule");
  if (rule > 1)
    call.refuse("rule is %lld, and must be 0 (windowed) or 1 (official)", static_cast<long long>(rule));
  args.windowed = rule == 0;
  return call.run(call.environment().table->gate_forward, args);
}

napi_value addon_gate_backward(napi_env env, napi_callback_info info) {
  Call call(env, info, "gateBackward", 6);
  GateBackward args{};
  args.da = call.floats(0, "da", 0, &args.units);
  args.e = call.floats(1, "e", args.units);
  args.q = call.output(2, "q", args.units, {0, 1});
  args.s = call.positive(3, "s");
  args.s_max = call.positive(4, "sMax");
  const Index rule = call.count(5, "rule");
  if (rule > 3)
    call.refuse("rule is %lld, and must be 0 (windowed), 1 (straight), 2 (official) or 3 (off)",
                static_cast<long long>(rule));
  args.rule = static_cast<GateRule>(rule);
  return call.run(call.environment().table->gate_backward, args);
}

} // namespace milliner
