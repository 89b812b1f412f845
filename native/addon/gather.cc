#include "addon/call.h"
#include "addon/functions.h"
#include "kernels/linear_weight.h"

namespace milliner {
namespace {

// Arguments `first` and `first` + 1 of a call: the lists of rows and columns of a matrix
// [whole rows, whole columns].
Selection selection(Call& call, std::size_t first, Index whole_rows, Index whole_columns) {
  Selection s{};
  call.words(first, "rows", 0, &s.row_count);
  call.words(first + 1, "columns", 0, &s.column_count);
  s.rows = call.ascending(first, "rows", s.row_count, whole_rows);
  s.columns = call.ascending(first + 1, "columns", s.column_count, whole_columns);
  s.whole_columns = whole_columns;
  return s;
}

} // namespace

napi_value addon_gather_matrix(napi_env env, napi_callback_info info) {
  Call call(env, info, "gatherMatrix", 6);
  const Index rows = call.count(4, "wholeRows"), columns = call.count(5, "wholeColumns");
  const Selection s = selection(call, 2, rows, columns);
  const GatherMatrix args = {call.floats(0, "from", call.product(rows, columns)),
                             call.output(1, "to", call.product(s.row_count, s.column_count)), s};
  return call.run(call.environment().table->gather_matrix, args);
}

napi_value addon_scatter_matrix(napi_env env, napi_callback_info info) {
  Call call(env, info, "scatterMatrix", 7);
  const Index rows = call.count(5, "wholeRows"), columns = call.count(6, "wholeColumns");
  const Selection s = selection(call, 3, rows, columns);
  const ScatterMatrix args = {
      call.floats(0, "from", call.product(s.row_count, s.column_count)),
      call.optional_words(1, "locks", call.product(s.row_count, lock_words(s.column_count))),
      call.output(2, "to", call.product(rows, columns)), s};
  return call.run(call.environment().table->scatter_matrix, args);
}

napi_value addon_gather_bits(napi_env env, napi_callback_info info) {
  Call call(env, info, "gatherBits", 6);
  const Index rows = call.count(4, "wholeRows"), columns = call.count(5, "wholeColumns");
  const Selection s = selection(call, 2, rows, columns);
  const GatherBits args = {call.words(0, "from", call.product(rows, lock_words(columns))),
                           call.output_words(1, "to", call.product(s.row_count, lock_words(s.column_count))),
                           s};
  return call.run(call.environment().table->gather_bits, args);
}

} // namespace milliner
