import { describe, expect, test } from "vitest";
import {
  availableBackends,
  clipGlobalNorm,
  extend,
  forward,
  linear,
  network,
  relu,
  Tape,
  tensor,
  tidy,
  type Backend,
  type Gradients,
  type Tensor,
} from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import type { Compensation } from "./compensation.ts";
import { gradientConditioning } from "./conditioning.ts";
import { cumulativeGate } from "./cumulative.ts";
import { gate } from "./gate.ts";
import {
  embeddingTolerance,
  expectClose,
  expectGates,
  slopeOf,
  sumTolerance,
  sumToleranceOf,
  ulp,
} from "./golden/closeness.ts";
import { floats, recorded, trace, type Recorded, type Values } from "./golden/official-trace.ts";
import { officialDefaults, officialStep } from "./official.ts";
import { regularisedLoss, sparsityRegulariser } from "./regulariser.ts";

// golden/official_trace.py took these steps in PyTorch. Each is repeated here from the state before it, not in a row: where
// a gate is one or two ulp below 1, an ulp of exp changes its gradient by half, and two correct runs part.

const { lr, sMax, c, embeddingClamp } = trace.options;
const body = network([trace.inputs], linear(trace.units), relu(), linear(trace.units), relu());
const withHead = extend(body, linear(trace.classes, { name: "head" }));

function normOf(gradients: Gradients, of: readonly Tensor[]): number {
  return Math.hypot(...of.flatMap((leaf) => [...gradients.get(leaf)!.data]));
}

function shapeOf(name: string, count: number): readonly number[] {
  if (!name.endsWith(".weight")) return [count];
  const outputs = name === "head.weight" ? trace.classes : trace.units;
  return [outputs, count / outputs];
}

function leaves(values: Values, backend: Backend): Map<string, Tensor> {
  return new Map(
    Object.entries(values).map(([name, data]) => [
      name,
      tensor(data, shapeOf(name, data.length), { backend, requiresGrad: true }),
    ]),
  );
}

/** The step's tensors and its gradients, by the pieces that `officialStep` is made of. Runs inside a `tidy`. */
function backward(
  { step, state, before, labels, images }: Recorded,
  backend: Backend,
  compensation: Compensation,
) {
  const parameters = leaves(state.parameters, backend);
  const embeddings = leaves(state.embeddings, backend);
  const tape = new Tape();
  const gates = new Map(
    [...embeddings].map(([space, e]) => [space, gate(e, step.s, sMax, compensation, tape)]),
  );
  const x = tensor(images, [step.rows.length, trace.inputs], { backend });
  const logits = forward(withHead, parameters, x, { tape, gates });
  const r = sparsityRegulariser(gates, before, tape);
  const loss = regularisedLoss(crossEntropy(logits, labels, tape), r, c, tape);
  return { parameters, embeddings, gates, loss, r, gradients: tape.backward(loss) };
}

function expectGradients(gradients: Gradients, of: ReadonlyMap<string, Tensor>, expected: Values): void {
  for (const [name, values] of Object.entries(expected)) {
    expectClose(name, gradients.get(of.get(name)!)!.data, values, () => sumToleranceOf(values));
  }
}

function expectEmbeddingGradients(
  { step, state }: Recorded,
  actual: ReadonlyMap<string, Tensor>,
  expected: Values,
  compensated: boolean,
): void {
  for (const [space, q] of Object.entries(expected)) {
    const tolerance = (i: number): number => {
      const slope = slopeOf(state.embeddings[space]![i]!, step.s, compensated);
      return embeddingTolerance(q[i]!, step.gates[space]![i]!, slope);
    };
    expectClose(space, actual.get(space)!.data, q, tolerance);
  }
}

function ofEmbeddings(
  gradients: Gradients,
  embeddings: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  return new Map([...embeddings].map(([space, e]) => [space, gradients.get(e)!]));
}

describe.each(availableBackends())("the published step, backend $name", (backend) => {
  test.each(recorded)("equation (1): gates are within ulps of the recorded ones ($name)", (record) => {
    tidy(() => {
      const { gates } = backward(record, backend, "official");

      expectGates(new Map([...gates].map(([space, a]) => [space, a.data])), record.step.gates);
    });
  });

  test.each(recorded)("equations (4), (5): loss and regulariser are the recorded ones ($name)", (record) => {
    tidy(() => {
      const { loss, r } = backward(record, backend, "official");

      expectClose("R", r.data, [record.step.regulariser], () => sumTolerance);
      expectClose("loss", loss.data, [record.step.loss], () => 2 * sumTolerance);
    });
  });

  test.each(recorded)(
    "without protection and compensation, gradients are those of autograd ($name)",
    (record) => {
      tidy(() => {
        const { parameters, embeddings, gradients } = backward(record, backend, "off");

        const { afterBackward } = record.step.gradients;
        expectGradients(gradients, parameters, afterBackward.parameters);
        expectEmbeddingGradients(
          record,
          ofEmbeddings(gradients, embeddings),
          afterBackward.embeddings,
          false,
        );
      });
    },
  );

  test.each(recorded.filter(({ before }) => before.size > 0))(
    "equation (2): conditioned gradients are the recorded ones, fractional gates included ($name)",
    (record) => {
      tidy(() => {
        const { parameters, gradients } = backward(record, backend, "official");

        gradientConditioning(body, parameters, gradients, record.before);

        expectGradients(gradients, parameters, record.step.gradients.afterConditioning!);
      });
    },
  );

  test.each(recorded)("equation (B'): compensated gradients are the recorded ones ($name)", (record) => {
    tidy(() => {
      const { embeddings, gradients } = backward(record, backend, "official");

      const { afterCompensation } = record.step.gradients;
      expectEmbeddingGradients(record, ofEmbeddings(gradients, embeddings), afterCompensation, true);
    });
  });

  test.each(recorded)("the norm of all gradients is clipped as recorded ($name)", (record) => {
    tidy(() => {
      const { step, before } = record;
      const { parameters, embeddings, gradients } = backward(record, backend, "official");
      if (before.size > 0) gradientConditioning(body, parameters, gradients, before);

      clipGlobalNorm([...parameters, ...embeddings], gradients, step.clipNorm);

      const { afterClipping, afterConditioning, afterBackward } = step.gradients;
      expect(afterClipping !== undefined).toBe(step.norm > step.clipNorm);
      const expected = afterClipping?.parameters ?? { ...afterBackward.parameters, ...afterConditioning };
      expectGradients(gradients, parameters, expected);
      expect(normOf(gradients, [...parameters.values(), ...embeddings.values()])).toBeCloseTo(
        Math.min(step.norm, step.clipNorm),
        3,
      );
    });
  });

  test.each(recorded)("a whole step leaves what the published code leaves ($name)", (record) => {
    tidy(() => {
      const { step, state, before, labels } = record;
      const parameters = leaves(state.parameters, backend);
      const embeddings = leaves(state.embeddings, backend);
      const images = tensor(record.images, [step.rows.length, trace.inputs], { backend });

      const done = officialStep(
        { body, network: withHead, parameters, embeddings, before },
        { images, labels, sample: step.sample, samples: trace.samples },
        { ...officialDefaults, lr, sMax, c, embeddingClamp, clipNorm: step.clipNorm },
      );

      expect(done.s).toBe(step.s);
      expectClose(
        "R, loss",
        [done.regulariser, done.loss],
        [step.regulariser, step.loss],
        () => 2 * sumTolerance,
      );
      for (const [name, values] of Object.entries(step.after.parameters)) {
        const gradients = step.gradients.afterBackward.parameters[name]!;
        const tolerance = lr * sumToleranceOf(gradients);
        expectClose(
          name,
          parameters.get(name)!.data,
          values,
          (i) => tolerance + 2 * ulp * Math.abs(values[i]!),
        );
      }
      for (const [space, values] of Object.entries(step.after.embeddings)) {
        const tolerance = (i: number): number => {
          const slope = slopeOf(state.embeddings[space]![i]!, step.s, true);
          const q = step.gradients.afterCompensation[space]![i]!;
          return lr * embeddingTolerance(q, step.gates[space]![i]!, slope) + 2 * ulp * Math.abs(values[i]!);
        };
        expectClose(space, embeddings.get(space)!.data, values, tolerance);
      }
    });
  });

  test.each(trace.tasks.map((task, index) => ({ ...task, name: `task ${index}` })))(
    "equation (A): cumulative gates after a task are the recorded ones ($name)",
    ({ before, steps, cumulative }) => {
      tidy(() => {
        const embeddings = leaves(steps.at(-1)!.after.embeddings, backend);
        const gates = new Map([...embeddings].map(([space, e]) => [space, gate(e, sMax, sMax, "official")]));

        const after = cumulativeGate(gates, floats(before));

        expectGates(after, cumulative);
      });
    },
  );
});
