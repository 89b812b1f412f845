#include "addon/call.h"

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace milliner {
namespace {

constexpr Index kMostCount = 0x7FFFFFFF;
constexpr Index kMostElements = Index{1} << 48;

} // namespace

Call::Call(napi_env env, napi_callback_info info, const char* function, std::size_t arguments)
    : env_(env), function_(function) {
  std::size_t given = kMostArguments;
  void* data = nullptr;
  napi_get_cb_info(env, info, &given, arguments_, nullptr, nullptr);
  napi_get_instance_data(env, &data);
  environment_ = static_cast<Environment*>(data);
  if (given < arguments && given < kMostArguments)
    for (std::size_t i = given; i < kMostArguments; i++)
      napi_get_undefined(env, &arguments_[i]);
}

void Call::raise(const char* code, const char* message, bool type_error) {
  ok_ = false;
  if (type_error)
    napi_throw_type_error(env_, code, message);
  else
    napi_throw_range_error(env_, code, message);
}

void Call::refuse(const char* what, ...) {
  if (!ok_)
    return;
  char text[320];
  const int start = std::snprintf(text, sizeof text, "%s: ", function_);
  va_list list;
  va_start(list, what);
  std::vsnprintf(text + start, sizeof text - static_cast<std::size_t>(start), what, list);
  va_end(list);
  raise("NATIVE_ARGUMENT", text, false);
}

void Call::refuse_type(std::size_t i, const char* name, const char* expected) {
  if (!ok_)
    return;
  char text[320];
  std::snprintf(text, sizeof text, "%s: argument %zu, %s, must be %s", function_, i + 1, name, expected);
  raise("NATIVE_ARGUMENT", text, true);
}

void Call::report(Status status) {
  if (status == Status::out_of_memory) {
    char text[160];
    std::snprintf(text, sizeof text,
                  "%s: no memory for the scratch space of %d threads; use smaller batches or fewer threads",
                  function_, Pool::shared().threads());
    ok_ = false;
    napi_throw_error(env_, "NATIVE_MEMORY", text);
  }
}

void* Call::written(std::size_t i, void* data, Arguments may_be) {
  views_[i].written = true;
  for (const std::size_t other : may_be)
    views_[i].may_be |= 1u << other;
  return data;
}

void Call::keep_apart() {
  for (const View& out : views_) {
    if (!out.written)
      continue;
    for (std::size_t i = 0; ok_ && i < kMostArguments; i++) {
      const View& other = views_[i];
      if (&other == &out || out.begin >= other.end || other.begin >= out.end)
        continue;
      const bool may_be = out.may_be >> i & 1u;
      if (may_be && out.begin == other.begin && out.end == other.end)
        continue;
      refuse("%s and %s share memory%s", out.name, other.name, may_be ? " and are not one array" : "");
    }
  }
}

double Call::number(std::size_t i, const char* name) {
  double value = 0;
  if (ok_ && napi_get_value_double(env_, arguments_[i], &value) != napi_ok)
    refuse_type(i, name, "a number");
  return value;
}

double Call::positive(std::size_t i, const char* name) {
  const double value = number(i, name);
  if (ok_ && !(value > 0 && std::isfinite(value)))
    refuse("%s is %g, and must be a finite number above 0", name, value);
  return value;
}

Index Call::count(std::size_t i, const char* name, Index least) {
  const double value = number(i, name);
  if (!ok_)
    return 0;
  if (!(value >= static_cast<double>(least) && value <= static_cast<double>(kMostCount)) ||
      value != std::floor(value)) {
    refuse("%s is %.17g, and must be a whole number from %lld to 2147483647", name, value,
           static_cast<long long>(least));
    return 0;
  }
  return static_cast<Index>(value);
}

bool Call::boolean(std::size_t i, const char* name) {
  bool value = false;
  if (ok_ && napi_get_value_bool(env_, arguments_[i], &value) != napi_ok)
    refuse_type(i, name, "a boolean");
  return value;
}

bool Call::is_given(std::size_t i) const {
  napi_valuetype type = napi_undefined;
  return napi_typeof(env_, arguments_[i], &type) == napi_ok && type != napi_undefined && type != napi_null;
}

void* Call::typed_array(std::size_t i, const char* name, napi_typedarray_type type, const char* type_name,
                        Index size, Index* found) {
  if (!ok_)
    return nullptr;
  napi_typedarray_type actual{};
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env_, arguments_[i], &actual, &length, &data, nullptr, nullptr) != napi_ok ||
      actual != type) {
    refuse_type(i, name, type_name);
    return nullptr;
  }
  if (found)
    *found = static_cast<Index>(length);
  else if (static_cast<Index>(length) != size) {
    refuse("%s has %zu elements, and must have %lld", name, length, static_cast<long long>(size));
    return nullptr;
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  views_[i] = {name, begin, begin + length * 4, false, 0}; // all types of the table have 4 bytes
  // An empty array may have no address; it was given all the same, and nobody reads it.
  return data ? data : this;
}

const float* Call::floats(std::size_t i, const char* name, Index size, Index* found) {
  return static_cast<float*>(typed_array(i, name, napi_float32_array, "a Float32Array", size, found));
}
const std::int32_t* Call::integers(std::size_t i, const char* name, Index size) {
  return static_cast<std::int32_t*>(typed_array(i, name, napi_int32_array, "an Int32Array", size, nullptr));
}
const std::uint32_t* Call::words(std::size_t i, const char* name, Index size, Index* found) {
  return static_cast<std::uint32_t*>(typed_array(i, name, napi_uint32_array, "a Uint32Array", size, found));
}

const float* Call::optional_floats(std::size_t i, const char* name, Index size) {
  return is_given(i) ? floats(i, name, size) : nullptr;
}
const std::uint32_t* Call::optional_words(std::size_t i, const char* name, Index size) {
  return is_given(i) ? words(i, name, size) : nullptr;
}

float* Call::output(std::size_t i, const char* name, Index size, Arguments may_be) {
  void* data = typed_array(i, name, napi_float32_array, "a Float32Array", size, nullptr);
  return static_cast<float*>(written(i, data, may_be));
}
float* Call::optional_output(std::size_t i, const char* name, Index size, Arguments may_be) {
  return is_given(i) ? output(i, name, size, may_be) : nullptr;
}
std::int32_t* Call::output_integers(std::size_t i, const char* name, Index size) {
  void* data = typed_array(i, name, napi_int32_array, "an Int32Array", size, nullptr);
  return static_cast<std::int32_t*>(written(i, data));
}
std::uint32_t* Call::output_words(std::size_t i, const char* name, Index size) {
  void* data = typed_array(i, name, napi_uint32_array, "a Uint32Array", size, nullptr);
  return static_cast<std::uint32_t*>(written(i, data));
}

void Call::refuse_shared(std::size_t i, const char* name) {
  napi_value buffer = nullptr;
  bool is_own = true;
  if (ok_ &&
      napi_get_typedarray_info(env_, arguments_[i], nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
      napi_is_arraybuffer(env_, buffer, &is_own) == napi_ok && !is_own)
    refuse("%s lies in a SharedArrayBuffer, where another thread could change it; copy it", name);
}

bool Call::sizes(std::size_t i, const char* name, Index count, std::int32_t* to) {
  const std::int32_t* from = integers(i, name, count);
  for (Index at = 0; from && at < count; at++)
    to[at] = from[at];
  return from != nullptr;
}

bool Call::detach(std::size_t i) { return napi_detach_arraybuffer(env_, arguments_[i]) == napi_ok; }

const std::int32_t* Call::indices(std::size_t i, const char* name, Index size) {
  refuse_shared(i, name);
  return integers(i, name, size);
}

const std::uint32_t* Call::ascending(std::size_t i, const char* name, Index size, Index end) {
  refuse_shared(i, name);
  const std::uint32_t* list = words(i, name, size);
  for (Index at = 0; ok_ && at < size; at++) {
    if (static_cast<Index>(list[at]) >= end)
      refuse("%s[%lld] is %u, and must be below %lld", name, static_cast<long long>(at), list[at],
             static_cast<long long>(end));
    else if (at > 0 && list[at] <= list[at - 1])
      refuse("%s[%lld] is %u behind %u: it must ascend", name, static_cast<long long>(at), list[at],
             list[at - 1]);
  }
  return list;
}

MomentumFactors Call::momentum_factors(std::size_t factors, std::size_t nesterov) {
  const float* of = floats(factors, "factors", 3);
  const bool ahead = boolean(nesterov, "nesterov");
  return ok_ ? MomentumFactors{of[0], of[1], of[2], ahead} : MomentumFactors{};
}

AdamFactors Call::adam_factors(std::size_t i) {
  const float* of = floats(i, "factors", 8);
  return ok_ ? AdamFactors{of[0], of[1], of[2], of[3], of[4], of[5], of[6], of[7]} : AdamFactors{};
}

double Call::keep(std::size_t i) {
  const double value = number(i, "keep");
  if (ok_ && !(value > 0 && value <= 1)) {
    refuse("keep is %g, and must be above 0 and at most 1", value);
    return 1;
  }
  return value;
}

Random Call::random(std::size_t i) {
  const std::uint32_t* word = words(i, "random", 4);
  return word ? Random{word[0], word[1], word[2], word[3]} : Random{};
}

Index Call::product(Index a, Index b) {
  Index result = 0;
  if (__builtin_mul_overflow(a, b, &result) || result > kMostElements) {
    refuse("%lld x %lld elements are more than any memory holds", static_cast<long long>(a),
           static_cast<long long>(b));
    return 0;
  }
  return result;
}

} // namespace milliner
