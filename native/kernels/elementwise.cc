#include "kernels/elementwise.h"

#include "kernels/elementary.h"
#include "kernels/rectifier.h"
#include "kernels/set.h"

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kPiece = 4096; // elements of an item

Work pieces(Index n, double nanoseconds_each) {
  return {ceil_div(n, kPiece), nanoseconds_each * static_cast<double>(n), 0};
}

template <class Function>
MILLINER_INLINE void map(const float* x, float* y, Index n, Range items, const Function& f) {
  for_vectors(items.begin * kPiece, smaller(items.end * kPiece, n),
              [&](Index i, Index lanes) { store_first(y + i, f(load_first(x + i, lanes)), lanes); });
}

template <class Function> MILLINER_INLINE void map(const Binary& args, Range items, const Function& f) {
  for_vectors(items.begin * kPiece, smaller(items.end * kPiece, args.n), [&](Index i, Index lanes) {
    store_first(args.out + i, f(load_first(args.a + i, lanes), load_first(args.b + i, lanes)), lanes);
  });
}

constexpr double kTwoStreams = 8 / kBytesPerNanosecond, kThreeStreams = 12 / kBytesPerNanosecond;
constexpr double kPolynomial = 1.5; // ns an element with 8 lanes, divisions included

} // namespace

Work add_work(const Binary& args) noexcept { return pieces(args.n, kThreeStreams); }
void add_run(const Binary& args, Range items, float*) noexcept {
  map(args, items, [](F a, F b) { return a + b; });
}

Work multiply_work(const Binary& args) noexcept { return pieces(args.n, kThreeStreams); }
void multiply_run(const Binary& args, Range items, float*) noexcept {
  map(args, items, [](F a, F b) { return a * b; });
}

Work scale_work(const Scale& args) noexcept { return pieces(args.n, kTwoStreams); }
void scale_run(const Scale& args, Range items, float*) noexcept {
  const F factor = splat(args.factor);
  map(args.x, args.y, args.n, items, [&](F x) { return x * factor; });
}

Work clamp_work(const Clamp& args) noexcept { return pieces(args.n, kTwoStreams); }
void clamp_run(const Clamp& args, Range items, float*) noexcept {
  const F low = splat(args.low), high = splat(args.high);
  map(args.x, args.y, args.n, items, [&](F x) { return x < low ? low : (x > high ? high : x); });
}

Work exp_work(const Unary& args) noexcept { return pieces(args.n, kPolynomial); }
void exp_run(const Unary& args, Range items, float*) noexcept {
  map(args.x, args.y, args.n, items, [](F x) { return exponential(x); });
}

Work log_work(const Unary& args) noexcept { return pieces(args.n, kPolynomial); }
void log_run(const Unary& args, Range items, float*) noexcept {
  map(args.x, args.y, args.n, items, [](F x) { return logarithm(x); });
}

Work tanh_work(const Unary& args) noexcept { return pieces(args.n, kPolynomial); }
void tanh_run(const Unary& args, Range items, float*) noexcept {
  map(args.x, args.y, args.n, items, [](F x) { return hyperbolic_tangent(x); });
}

Work sigmoid_work(const Unary& args) noexcept { return pieces(args.n, kPolynomial); }
void sigmoid_run(const Unary& args, Range items, float*) noexcept {
  map(args.x, args.y, args.n, items, [](F x) { return logistic(x); });
}

Work relu_work(const Unary& args) noexcept { return pieces(args.n, kTwoStreams); }
void relu_run(const Unary& args, Range items, float*) noexcept {
  map(args.x, args.y, args.n, items, [](F x) { return rectified(x); });
}

Work relu_backward_work(const Binary& args) noexcept { return pieces(args.n, kThreeStreams); }
void relu_backward_run(const Binary& args, Range items, float*) noexcept {
  map(args, items, [](F dy, F y) { return rectified_backward(dy, y); });
}

} // namespace milliner::MILLINER_SET
