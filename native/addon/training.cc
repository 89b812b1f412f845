#include "addon/call.h"
#include "addon/functions.h"

namespace milliner {

napi_value addon_cross_entropy(napi_env env, napi_callback_info info) {
  Call call(env, info, "crossEntropy", 6);
  const Index n = call.count(4, "n"), classes = call.count(5, "classes", 1);
  const Index size = call.product(n, classes);
  const CrossEntropy args = {call.floats(0, "logits", size),
                             call.indices(1, "labels", n),
                             call.output(2, "losses", n),
                             call.optional_output(3, "dlogits", size, {0}),
                             n,
                             classes};
  if (call.ok())
    for (Index i = 0; i < n; i++)
      if (args.labels[i] < 0 || args.labels[i] >= classes) {
        call.refuse("labels[%lld] is %d, outside 0..%lld", static_cast<long long>(i), args.labels[i],
                    static_cast<long long>(classes - 1));
        break;
      }
  return call.run(call.environment().table->cross_entropy, args);
}

napi_value addon_sgd(napi_env env, napi_callback_info info) {
  Call call(env, info, "sgd", 6);
  const Index rows = call.count(4, "rows"), columns = call.count(5, "columns");
  const Index size = call.product(rows, columns);
  const Sgd args = {call.output(0, "w", size),
                    call.floats(1, "g", size),
                    static_cast<float>(call.number(2, "lr")),
                    call.optional_words(3, "locks", call.product(rows, lock_words(columns))),
                    rows,
                    columns};
  return call.run(call.environment().table->sgd, args);
}

napi_value addon_momentum(napi_env env, napi_callback_info info) {
  Call call(env, info, "momentum", 8);
  const Index rows = call.count(6, "rows"), columns = call.count(7, "columns");
  const Index size = call.product(rows, columns);
  const Momentum args = {call.output(0, "w", size),
                         call.floats(1, "g", size),
                         call.optional_output(2, "velocity", size),
                         call.momentum_factors(3, 4),
                         call.optional_words(5, "locks", call.product(rows, lock_words(columns))),
                         rows,
                         columns};
  return call.run(call.environment().table->momentum, args);
}

napi_value addon_adam(napi_env env, napi_callback_info info) {
  Call call(env, info, "adam", 8);
  const Index rows = call.count(6, "rows"), columns = call.count(7, "columns");
  const Index size = call.product(rows, columns);
  const Adam args = {call.output(0, "w", size),
                     call.floats(1, "g", size),
                     call.output(2, "mean", size),
                     call.output(3, "square", size),
                     call.adam_factors(4),
                     call.optional_words(5, "locks", call.product(rows, lock_words(columns))),
                     rows,
                     columns};
  return call.run(call.environment().table->adam, args);
}

napi_value addon_dropout(napi_env env, napi_callback_info info) {
  Call call(env, info, "dropout", 7);
  const Index rows = call.count(2, "rows"), units = call.count(3, "units");
  const Index size = call.product(rows, units);
  Dropout args = {
      call.floats(0, "x", size), call.output(1, "y", size, {0}), rows, units, call.keep(4), call.random(5)};
  if (call.is_given(6))
    args.numbers = call.ascending(6, "numbers", units, Index{1} << 32);
  return call.run(call.environment().table->dropout, args);
}

napi_value addon_random_bits(napi_env env, napi_callback_info info) {
  Call call(env, info, "randomBits", 4);
  const Index rows = call.count(1, "rows"), units = call.count(2, "units");
  const RandomBits args = {call.output_words(0, "out", call.product(rows, units)), rows, units,
                           call.random(3)};
  return call.run(call.environment().table->random_bits, args);
}

} // namespace milliner
