import { describe, expect, test } from "vitest";
import { availableBackends } from "./backend/registry.ts";
import { referenceBackend } from "./backend/reference.ts";
import { ShapeError } from "./errors.ts";
import { memoryUse, tidy } from "./memory.ts";
import { add, conv2d, linear, multiply, relu, reshape, scale, sum } from "./operations/index.ts";
import { Tape } from "./tape.ts";
import { tensor, zeros, type Shape, type Tensor } from "./tensor.ts";
import { checkGradient } from "./testing/index.ts";

describe.each(availableBackends())("on $name", (backend) => {
  const leaf = (values: readonly number[], shape: Shape = [values.length]): Tensor =>
    tensor(values, shape, { backend, requiresGrad: true });
  const constant = (values: readonly number[], shape: Shape = [values.length]): Tensor =>
    tensor(values, shape, { backend });

  test("a leaf used several times has the sum of its gradients", () => {
    checkGradient(
      ([x], tape) => add(multiply(x!, x!, tape), scale(relu(x!, tape), 3, tape), tape),
      [{ shape: [3], values: [1, -2, 0.5] }],
      { backend },
    );
  });

  test("the gradient of a weight is pending until somebody asks, then it is the product of its factors", () => {
    tidy(() => {
      const tape = new Tape();
      const x = constant([1, 2, 3, 4, 5, 6], [3, 2]);
      const w = leaf([1, 0, 0, 1], [2, 2]);

      const gradients = tape.backward(sum(linear(x, w, {}, tape), tape));

      const pending = gradients.pending(w)!;
      expect(pending.kind).toBe("linear");
      expect(pending.x).toBe(x);
      expect([...pending.dy.data]).toEqual([1, 1, 1, 1, 1, 1]);
      expect(gradients.has(w)).toBe(true);
      const materialised = gradients.get(w)!;
      expect([...materialised.data]).toEqual([9, 12, 9, 12]);
      expect(gradients.pending(w)).toBeUndefined();
      expect(gradients.get(w)).toBe(materialised);
    });
  });

  test("a weight that two products read has one gradient, which is not pending", () => {
    tidy(() => {
      const tape = new Tape();
      const w = leaf([1, 2, 3, 4], [2, 2]);
      const x = constant([1, -1], [1, 2]);

      const gradients = tape.backward(sum(linear(linear(x, w, {}, tape), w, {}, tape), tape));

      expect(gradients.pending(w)).toBeUndefined();
      expect(gradients.get(w)!.data.length).toBe(4);
    });
    checkGradient(
      ([x, w], tape) => linear(linear(x!, w!, {}, tape), w!, {}, tape),
      [
        { shape: [1, 2], values: [1, -1] },
        { shape: [2, 2], values: [1, 2, 3, 4] },
      ],
      { backend },
    );
  });

  test("a weight that a product and another operation read has the sum, in either order", () => {
    const inputs = [
      { shape: [2, 2], values: [1, -1, 0.5, 2] },
      { shape: [2, 2], values: [1, 2, 3, 4] },
    ];
    checkGradient(([x, w], tape) => add(linear(x!, w!, {}, tape), scale(w!, 2, tape), tape), inputs, {
      backend,
    });
    checkGradient(([x, w], tape) => add(scale(w!, 2, tape), linear(x!, w!, {}, tape), tape), inputs, {
      backend,
    });
    checkGradient(
      ([x, w], tape) =>
        add(
          reshape(
            conv2d(reshape(x!, [1, 2, 1, 2], tape), reshape(w!, [2, 1, 1, 2], tape), {}, tape),
            [2, 2],
            tape,
          ),
          w!,
          tape,
        ),
      inputs,
      { backend },
    );
  });

  test("a weight that is itself computed passes its gradient on", () => {
    checkGradient(
      ([x, w], tape) => linear(x!, multiply(w!, w!, tape), {}, tape),
      [
        { shape: [2, 2], values: [1, -1, 0.5, 2] },
        { shape: [1, 2], values: [0.5, -1.5] },
      ],
      { backend },
    );
  });

  test("nothing is computed for a tensor that needs no gradient, and a leaf off the path has none", () => {
    tidy(() => {
      const tape = new Tape();
      const [x, y, other] = [leaf([1, 2]), constant([3, 4]), leaf([5])];

      const gradients = tape.backward(sum(multiply(x, y, tape), tape));

      expect([...gradients.get(x)!.data]).toEqual([3, 4]);
      expect(gradients.has(y)).toBe(false);
      expect(gradients.get(y)).toBeUndefined();
      expect(gradients.has(other)).toBe(false);
    });
  });

  test("a tape follows what comes from leaves, and nothing else", () => {
    tidy(() => {
      const tape = new Tape();
      const x = leaf([1]);

      expect(tape.tracks(x)).toBe(true);
      expect(tape.tracks(scale(x, 2, tape))).toBe(true);
      expect(tape.tracks(scale(scale(constant([1]), 2, tape), 2, tape))).toBe(false);
      expect(tape.tracks(scale(x, 2))).toBe(false);
    });
  });

  test("the same step has the same gradient bits each time", () => {
    const run = (): Float32Array =>
      tidy(() => {
        const tape = new Tape();
        const w = leaf([0.1, 0.2, 0.3, 0.4], [2, 2]);
        const x = constant([0.3, 0.7, -0.9, 0.11], [2, 2]);
        const y = linear(relu(linear(x, w, {}, tape), tape), w, {}, tape);
        return tape
          .backward(sum(multiply(y, y, tape), tape))
          .get(w)!
          .toArray();
      });

    expect(run()).toEqual(run());
  });

  test("a tidy around the step frees everything; gradients that it returns live until they are disposed", () => {
    const w = leaf([1, 2, 3, 4], [2, 2]);
    const before = memoryUse().buffers;

    const gradients = tidy(() => {
      const tape = new Tape();
      const found = tape.backward(sum(multiply(w, w, tape), tape));
      return { found, gradient: found.get(w)! };
    });

    expect(memoryUse().buffers).toBe(before + 1);
    expect([...gradients.gradient.data]).toEqual([2, 4, 6, 8]);
    gradients.found.dispose();
    expect(memoryUse().buffers).toBe(before);
    w.dispose();
  });
});

test("a loss with several elements is refused with its shape", () => {
  const backend = referenceBackend;
  tidy(() => {
    expect(() => new Tape().backward(zeros([2, 2], { backend }))).toThrow(ShapeError);
    expect(() => new Tape().backward(zeros([2, 2], { backend }))).toThrow(
      expect.objectContaining({ code: "NOT_A_SCALAR", message: expect.stringContaining("[2, 2]") }),
    );
  });
});

test("an operation that gives a gradient of another shape is found out", () => {
  const backend = referenceBackend;
  tidy(() => {
    const tape = new Tape();
    const x = zeros([2], { backend, requiresGrad: true });
    const y = zeros([1], { backend });
    tape.record("broken", [x], y, (_, sink) => sink.add(x, zeros([3], { backend })));

    expect(() => tape.backward(y)).toThrow(
      expect.objectContaining({ code: "SHAPE_MISMATCH", message: expect.stringMatching(/\[3\].*\[2\]/) }),
    );
  });
});

test("a tape is walked once: a second time would give a step without gradients", () => {
  tidy(() => {
    const w = tensor([2], [1], { backend: referenceBackend, requiresGrad: true });
    const tape = new Tape();
    const loss = sum(multiply(w, w, tape), tape);
    tape.backward(loss);

    expect(() => tape.backward(loss)).toThrow(expect.objectContaining({ code: "TAPE_USED" }));
  });
});
