import fc from "fast-check";
import { expect, inject, test } from "vitest";
import {
  Bits,
  channelSpaces,
  compact,
  conv2d,
  dropout,
  elements,
  extend,
  flatten,
  forward,
  imageReader,
  initialise,
  linear,
  maxPool2d,
  network,
  NumericError,
  referenceBackend as backend,
  relu,
  selectBackend,
  ShapeError,
  Stream,
  tensor,
  tidy,
  type Backend,
  type Network,
  type Parameters,
  type Transform,
} from "@milliner/core";
import { randomNetwork } from "@milliner/core/testing";
import { channelsFirst } from "./channels-first.ts";
import { exportNetwork, type ExportOptions } from "./export.ts";
import { OnnxError } from "./onnx-error.ts";
import { loadOnnxRuntime } from "./runtime.ts";
import { verifyModel, type VerificationBatch } from "./verify.ts";

const found = await loadOnnxRuntime();
if ("missing" in found) throw new Error(found.missing);
const runtime = found;

const seed = fc.integer({ min: 0, max: 1000 });
/** Any layers and combinators, and a head behind them. */
const anyNetwork: fc.Arbitrary<Network> = fc
  .tuple(fc.noShrink(fc.nat(1e9)), fc.integer({ min: 2, max: 6 }))
  .map(([from, classes]) => extend(randomNetwork(from), linear(classes, { name: "head" })));

const options: fc.Arbitrary<ExportOptions> = fc.record({
  transform: fc.constant("none"),
  layout: fc.constantFrom("nchw", "nhwc"),
  softmax: fc.boolean(),
});

function batchOf(
  whole: Network,
  parameters: Parameters,
  images: number,
  from: number,
  on: Backend = backend,
): VerificationBatch {
  const shape = [images, ...whole.inputShape];
  const values = new Stream(from, "images").uniform(elements(shape), -1, 1, 0);
  const logits = tidy(() => forward(whole, parameters, tensor(values, shape, { backend: on })).toArray());
  return { images: values, shape, logits };
}

test("a random network gives in onnxruntime what it gives in core, in either layout", async () => {
  await fc.assert(
    fc.asyncProperty(anyNetwork, options, seed, async (whole, given, from) => {
      const parameters = initialise(whole, { backend, seed: from });
      const batches = [batchOf(whole, parameters, 3, from), batchOf(whole, parameters, 1, from + 1)];

      const verification = await verifyModel(exportNetwork(whole, parameters, given), batches, { runtime });

      expect(verification).toMatchObject({ images: 4, ok: true });
      for (const parameter of parameters.values()) parameter.dispose();
    }),
    { numRuns: 250 * inject("soak") },
  );
});

test("a pruned network gives in onnxruntime what the masked one gives in core", async () => {
  await fc.assert(
    fc.asyncProperty(anyNetwork, options, seed, async (whole, given, from) => {
      const parameters = initialise(whole, { backend, seed: from });
      const stream = new Stream(from, "masks");
      const wholeSpaces = channelSpaces(whole);
      const logitSpaces = new Set(wholeSpaces.edge(whole.output).pieces.flatMap(({ spaces }) => spaces));
      const gated = [...new Set(wholeSpaces.gatePoints.values())].filter((space) => !logitSpaces.has(space));
      const masks = new Map(
        gated.map(({ name, units }, i) => {
          const draws = stream.uniform(units, 0, 1, i);
          return [name, Bits.from(units, (unit) => unit === 0 || draws[unit]! < 0.5)];
        }),
      );
      const gates = new Map(
        [...masks].map(([name, bits]) => [name, tensor(bits.toFloats(), [bits.length], { backend })]),
      );
      const { images, shape } = batchOf(whole, parameters, 4, from);
      const logits = tidy(() =>
        forward(whole, parameters, tensor(images, shape, { backend }), { gates }).toArray(),
      );
      const small = compact(whole, parameters, masks);

      const verification = await verifyModel(
        exportNetwork(small.network, small.parameters, given),
        [{ images, shape, logits }],
        {
          runtime,
        },
      );

      expect(verification).toMatchObject({ images: 4, ok: true });
    }),
    { numRuns: 200 * inject("soak") },
  );
});

const images = network([6, 6, 3], conv2d(4, 3), relu(), maxPool2d(2), flatten(), linear(5));
const parameters = initialise(images, { backend, seed: 11 });

test("the backend that a user gets agrees with onnxruntime too", async () => {
  const chosen = selectBackend();
  const own = initialise(images, { backend: chosen, seed: 12 });

  const verification = await verifyModel(exportNetwork(images, own, { transform: "none" }), [
    batchOf(images, own, 64, 5, chosen),
  ]);

  expect(verification).toMatchObject({
    images: 64,
    sameArgmax: 64,
    tolerance: 1e-5,
    ok: true,
    runtime: "1.30.0",
  });
});

/** Any bytes for images of one shape, a transform for them, and the float32 that it makes of them. */
function transformed(whole: Network, from: number, count: number) {
  const shape = whole.inputShape as [number, number, number];
  const [height, width, channels] = shape;
  const stream = new Stream(from, "transform");
  const transform: Transform = [
    { kind: "permute", permutation: [...stream.permutation(height * width)] },
    {
      kind: "normalise",
      mean: [...stream.uniform(channels, 0, 1, 1)],
      std: [...stream.uniform(channels, 0.1, 1, 2)],
    },
  ];
  const size = elements(shape);
  const bytes = Uint8Array.from(stream.uniform(count * size, 0, 256, 3), Math.floor);
  const values = new Float32Array(count * size);
  const read = imageReader(transform, shape);
  for (let i = 0; i < count; i++)
    read(bytes.subarray(i * size, (i + 1) * size), values.subarray(i * size, (i + 1) * size));
  return { transform, bytes, values, shape: [count, ...shape] };
}

test("a transform in the graph gives the very bits that training read, in either layout", async () => {
  for (const channels of [1, 3]) {
    const whole = network([5, 7, channels], dropout(0.5)); // its output is its input
    const { transform, bytes, values, shape } = transformed(whole, 7, 6);
    const [n, height, width] = shape as [number, number, number];

    const last = await runtime.load(exportNetwork(whole, new Map(), { transform, layout: "nhwc" }));
    const first = await runtime.load(exportNetwork(whole, new Map(), { transform, layout: "nchw" }));
    const found = [
      await last.run(bytes, shape),
      await first.run(channelsFirst(bytes, shape), [n, channels, height, width]),
    ];

    expect(found[0]!.shape).toEqual(shape);
    expect(found[0]!.data).toEqual(values);
    expect(found[1]!.data).toEqual(channelsFirst(values, shape));
    await Promise.all([last.release(), first.release()]);
  }
});

test("a model with its transform takes an image's bytes and answers what the network answers", async () => {
  const { transform, bytes, values, shape } = transformed(images, 8, 64);
  const logits = tidy(() => forward(images, parameters, tensor(values, shape, { backend })).toArray());
  const labels = Int32Array.from({ length: 64 }, (_, i) => i % 5);
  const right = [...labels].filter((label, i) => argmax(logits.subarray(5 * i, 5 * i + 5)) === label).length;

  for (const layout of [undefined, "nchw", "nhwc"] as const) {
    const model = exportNetwork(images, parameters, {
      transform,
      ...(layout === undefined ? {} : { layout }),
    });
    const verification = await verifyModel(model, [{ images: bytes, shape, logits, labels }], { runtime });

    expect(verification).toMatchObject({ images: 64, sameArgmax: 64, accuracy: right / 64, ok: true });
  }
});

test("bytes for a model of floats, and floats for a model of bytes, are refused by what it takes", async () => {
  const { transform, bytes, values, shape } = transformed(images, 9, 1);
  const logits = new Float32Array(5);
  const refused = async (given: Transform | "none", input: Float32Array | Uint8Array): Promise<unknown> =>
    verifyModel(exportNetwork(images, parameters, { transform: given }), [{ images: input, shape, logits }], {
      runtime,
    }).catch((error: unknown) => error);

  expect(await refused(transform, values)).toMatchObject({
    code: "BAD_OPTION",
    message: expect.stringContaining("takes the bytes of images (uint8)") as string,
  });
  expect(await refused("none", bytes)).toMatchObject({ code: "BAD_OPTION" });
});

test("networks without layers, and those that end in an image, keep the layout that was asked for", async () => {
  const shapes: (readonly number[])[] = [];
  for (const whole of [network([2, 3, 4], dropout(0.5)), network([4, 5, 2], conv2d(3, 2))]) {
    const own = initialise(whole, { backend, seed: 1 });
    const batch = batchOf(whole, own, 2, 3);
    for (const layout of ["nchw", "nhwc"] as const) {
      const session = await runtime.load(exportNetwork(whole, own, { transform: "none", layout }));
      const [h, w, c] = whole.inputShape as [number, number, number];
      const { shape } = await session.run(batch.images, layout === "nchw" ? [2, c, h, w] : [2, h, w, c]);
      shapes.push(shape);
      await session.release();
    }
  }

  expect(shapes).toEqual([
    [2, 4, 2, 3],
    [2, 2, 3, 4],
    [2, 3, 3, 4],
    [2, 3, 4, 3],
  ]);
});

test("names of layers never meet the names that the exporter gives", async () => {
  const awkward = network(
    [4, 4, 2],
    conv2d(2, 1, { name: "x" }),
    relu(),
    flatten(),
    linear(3, { name: "logits" }),
    linear(3, { name: "logits.weight" }),
    linear(3, { name: "output" }),
    linear(3, { name: "softmax" }),
    linear(2, { name: "probabilities" }),
  );
  const own = initialise(awkward, { backend, seed: 1 });

  const model = exportNetwork(awkward, own, { transform: "none", layout: "nhwc", softmax: true });

  expect(await verifyModel(model, [batchOf(awkward, own, 3, 1)], { runtime })).toMatchObject({
    images: 3,
    ok: true,
  });
});

test("a model of other weights does not pass, and says by how much", async () => {
  const others = initialise(images, { backend, seed: 99 });

  const verification = await verifyModel(
    exportNetwork(images, others, { transform: "none" }),
    [batchOf(images, parameters, 16, 1)],
    { runtime },
  );

  expect(verification.ok).toBe(false);
  expect(verification.largestDifference).toBeGreaterThan(0.01);
  expect(verification.sameArgmax).toBeLessThan(16);
});

test("where two logits are nearer than twice the tolerance either class is accepted, and counted", async () => {
  const vector = network([1], linear(3, { bias: false }));
  const weights = new Map([["fc1.weight", tensor([1, 1 + 1e-6, 0.5], [3, 1], { backend })]]);
  const model = exportNetwork(vector, weights, { transform: "none" });
  // Core is made to say that the first is the larger by a hair.
  const batch = { images: Float32Array.of(1), shape: [1, 1], logits: Float32Array.of(1 + 1e-6, 1, 0.5) };

  expect(await verifyModel(model, [batch], { runtime })).toMatchObject({
    images: 1,
    sameArgmax: 0,
    ties: 1,
    ok: true,
  });
  expect(await verifyModel(model, [batch], { runtime, tolerance: 1e-7 })).toMatchObject({
    sameArgmax: 0,
    ties: 0,
    ok: false,
  });
});

test("batches that do not fit are refused with their sizes", async () => {
  const model = exportNetwork(images, parameters, { transform: "none" });
  const batch = batchOf(images, parameters, 2, 1);
  const refused = async (one: VerificationBatch): Promise<unknown> =>
    verifyModel(model, [one], { runtime }).catch((error: unknown) => error);

  expect(await refused({ ...batch, shape: [3, 6, 6, 3] })).toBeInstanceOf(ShapeError);
  expect(await refused({ ...batch, logits: batch.logits.subarray(0, 8) })).toMatchObject({
    code: "SHAPE_MISMATCH",
    message: "the model answers [2, 5] where core has [2, 4]: is it of another task?",
  });
  expect(await refused({ ...batch, logits: batch.logits.map(() => NaN) })).toBeInstanceOf(NumericError);
  await expect(verifyModel(model, [], { runtime })).rejects.toMatchObject({ code: "NO_IMAGES" });
});

test("what onnxruntime refuses is an OnnxError with its reason", async () => {
  const refused = runtime.load(Uint8Array.of(1, 2, 3));

  await expect(refused).rejects.toBeInstanceOf(OnnxError);
  await expect(refused).rejects.toMatchObject({ code: "RUNTIME_FAILED" });
});

function argmax(values: Float32Array): number {
  return values.indexOf(Math.max(...values));
}
