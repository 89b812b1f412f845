#include "kernels/activation.h"

#include "kernels/block_sums.h"
#include "kernels/rectifier.h"
#include "kernels/set.h"

// Lanes are units. A part takes vectors of units and runs down the rows, so that the chains stay in
// registers; 4 vectors at a time, because one chain of fma alone would wait 4 cycles for itself at every row.

namespace milliner::MILLINER_SET {
namespace {

constexpr Index kUnits = 4 * kLanes; // units of an item

double passes(Index rows, Index units, double bytes) {
  return bytes * static_cast<double>(rows) * static_cast<double>(units) / kBytesPerNanosecond;
}

MILLINER_INLINE F gated(F v, F gate) { return gate == F{} ? F{} : v * gate; }

template <int V> void backward_columns(const ActivationBackward& args, Index unit, Index last_lanes) {
  const F scale = splat(static_cast<float>(1.0 / args.keep));
  F gate[V];
  MILLINER_UNROLL for (int j = 0; j < V; j++) gate[j] =
      args.gate ? load_first(args.gate + unit + j * kLanes, j + 1 < V ? kLanes : last_lanes) : F{};
  BlockSums<V> dgate, dbias;
  for (Index row = 0; row < args.rows; row++) {
    MILLINER_UNROLL for (int j = 0; j < V; j++) {
      const Index at = row * args.units + unit + j * kLanes, lanes = j + 1 < V ? kLanes : last_lanes;
      const F dy = load_first(args.dy + at, lanes);
      const F h = args.h ? load_first(args.h + at, lanes) : F{};
      if (args.dgate)
        dgate.block[j] = fma(dy, h, dgate.block[j]);
      F dv = (args.gate ? gated(dy, gate[j]) : dy) * scale;
      if (args.relu)
        dv = rectified_backward(dv, h);
      if (args.dbias)
        dbias.block[j] = dbias.block[j] + dv;
      store_first(args.dv + at, dv, lanes);
    }
    dgate.pass(1), dbias.pass(1);
  }
  MILLINER_UNROLL for (int j = 0; j < V; j++) {
    const Index at = unit + j * kLanes, lanes = j + 1 < V ? kLanes : last_lanes;
    if (args.dgate)
      store_first(args.dgate + at, dgate.total(j), lanes);
    if (args.dbias)
      store_first(args.dbias + at, dbias.total(j), lanes);
  }
}

} // namespace

Work gate_apply_work(const GateApply& args) noexcept {
  return {args.units == 0 ? 0 : args.rows, passes(args.rows, args.units, 8), 0};
}

void gate_apply_run(const GateApply& args, Range items, float*) noexcept {
  for (Index row = items.begin; row < items.end; row++)
    for_vectors(0, args.units, [&](Index unit, Index lanes) {
      const Index at = row * args.units + unit;
      store_first(args.y + at, gated(load_first(args.h + at, lanes), load_first(args.gate + unit, lanes)),
                  lanes);
    });
}

Work activation_backward_work(const ActivationBackward& args) noexcept {
  return {ceil_div(args.units, kUnits), passes(args.rows, args.units, 12), 0};
}

void activation_backward_run(const ActivationBackward& args, Range items, float*) noexcept {
  const Index end = smaller(items.end * kUnits, args.units);
  Index unit = items.begin * kUnits;
  for (; unit + kUnits <= end; unit += kUnits)
    backward_columns<4>(args, unit, kLanes);
  for_vectors(unit, end, [&](Index at, Index lanes) { backward_columns<1>(args, at, lanes); });
}

} // namespace milliner::MILLINER_SET
