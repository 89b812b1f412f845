#include "kernels/activation_ref.h"
#include "kernels/reductions_ref.h"
#include "test/kernel_test.h"

using namespace milliner;
using test::Floats, test::Numbers;

CASE("gate_apply multiplies open units and selects +0 for closed ones") {
  for (const Index units : test::sizes_up_to(65)) {
    Numbers numbers(static_cast<unsigned>(units));
    const Index rows = 5;
    Floats h(rows * units, numbers), gate(units, numbers, 2), y(rows * units, 3);
    if (units > 0)
      h[0] = std::numeric_limits<float>::quiet_NaN();

    RUN(gate_apply, (GateApply{h.data(), gate.data(), y.data(), rows, units}), 2);

    std::vector<float> expected;
    for (Index i = 0; i < rows * units; i++)
      expected.push_back(gate[i % units] == 0 ? 0.0f : h[i] * gate[i % units]);
    CHECK(test::same_bits(y.data(), expected.data(), rows * units));
    CHECK(y.intact());
  }
}

CASE("activation_backward stays within its bounds and gives the same bits on every set and split") {
  for (int round = 0; round < 60; round++) {
    Numbers numbers(static_cast<unsigned>(round));
    const Index rows = numbers.below(40), units = numbers.below(200);
    Floats dy(rows * units, numbers), h(rows * units, numbers, 2), gate(units, numbers, 3);
    Floats dv(rows * units), dgate(units), dbias(units, 4);
    ActivationBackward args = {dy.data(),
                               h.data(),
                               round & 1 ? gate.data() : nullptr,
                               dv.data(),
                               dgate.data(),
                               dbias.data(),
                               rows,
                               units,
                               (round & 2) != 0,
                               round & 4 ? 0.8 : 1.0};
    RUN_SCALAR(activation_backward, args);
    const std::vector<float> scalar_dv(dv.data(), dv.data() + rows * units);
    const std::vector<float> scalar_dgate(dgate.data(), dgate.data() + units),
        scalar_dbias(dbias.data(), dbias.data() + units);
    dv.poison(), dgate.poison(), dbias.poison();

    RUN(activation_backward, args, 1 + round % 3);

    CHECK(test::same_bits(dv.data(), scalar_dv.data(), rows * units));
    CHECK(test::same_bits(dgate.data(), scalar_dgate.data(), units));
    CHECK(test::same_bits(dbias.data(), scalar_dbias.data(), units));
    CHECK(dv.intact() && dgate.intact() && dbias.intact());
    for (Index unit = 0; unit < units; unit++) {
      const UnitGradientsRef ref = unit_gradients_ref(args, unit);
      CHECK(std::abs(static_cast<double>(dgate[unit]) - ref.dgate) <=
            test::chain_bound(rows, ref.dgate_magnitude));
      CHECK(std::abs(static_cast<double>(dbias[unit]) - ref.dbias) <=
            test::chain_bound(rows + 2, ref.dbias_magnitude));
      for (Index row = 0; row < rows; row++) {
        const double dv_ref = activation_gradient_ref(args, row, unit);
        CHECK(std::abs(static_cast<double>(dv[row * units + unit]) - dv_ref) <=
              test::chain_bound(2, std::abs(dv_ref)));
      }
    }
  }
}

CASE("activation_backward may write its result over dy") {
  Numbers numbers(3);
  const Index rows = 9, units = 37;
  Floats dy(rows * units, numbers), h(rows * units, numbers), gate(units, numbers), dv(rows * units);
  ActivationBackward args = {dy.data(), h.data(), gate.data(), dv.data(), nullptr,
                             nullptr,   rows,     units,       true,      0.5};
  RUN(activation_backward, args, 1);

  args.dv = dy.data();
  RUN(activation_backward, args, 1);

  CHECK(test::same_bits(dy.data(), dv.data(), rows * units));
}

CASE("activation_backward sums in blocks of 4096 rows, with the bits of one chain up to there") {
  for (const Index rows : {4095, 4096, 4097, 12289}) {
    for (const Index units : {1, 19, 37}) {
      Numbers numbers(static_cast<unsigned>(rows + units));
      Floats dy(rows * units, numbers), h(rows * units, numbers, 2), dv(rows * units), dgate(units),
          dbias(units, 4);

      RUN(activation_backward,
          (ActivationBackward{dy.data(), h.data(), nullptr, dv.data(), dgate.data(), dbias.data(), rows,
                              units, true, 0.8}),
          2);

      for (Index unit = 0; unit < units; unit++) {
        const auto at = [&](Index row) { return row * units + unit; };
        const float bias = block_sum_ref(rows, [&](float sum, Index row) { return sum + dv[at(row)]; });
        const float gate =
            block_sum_ref(rows, [&](float sum, Index row) { return std::fma(dy[at(row)], h[at(row)], sum); });
        CHECK(test::same_bits(&dbias[unit], &bias, 1));
        CHECK(test::same_bits(&dgate[unit], &gate, 1));
        float chain = 0;
        for (Index row = 0; row < rows; row++)
          chain = chain + dv[at(row)];
        chain = chain + 0.0f;
        CHECK(rows > kSumChunk || test::same_bits(&dbias[unit], &chain, 1));
      }
    }
  }
}

CASE("activation_backward lets a NaN through, but behind a gate of 0 and where ReLU is off") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float dy[] = {nan, nan, nan, 2}, h[] = {1, 0, 1, nan}, gate[] = {1, 1, 0, 1};
  float dv[4], dgate[4], dbias[4];

  RUN(activation_backward, (ActivationBackward{dy, h, gate, dv, dgate, dbias, 1, 4, true, 1}), 1);

  const float expected[] = {nan, 0, 0, 2};
  const float all[] = {nan, nan, nan, nan};
  CHECK(test::same_bits(dv, expected, 4));
  CHECK(test::same_bits(dbias, expected, 4));
  CHECK(test::same_bits(dgate, all, 4));
}
