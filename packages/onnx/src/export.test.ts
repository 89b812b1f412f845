import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  ConfigError,
  conv2d,
  dropout,
  flatten,
  initialise,
  linear,
  maxPool2d,
  network,
  NumericError,
  referenceBackend as backend,
  relu,
  ShapeError,
  tensor,
  type Network,
} from "@milliner/core";
import { exportedBytes, exportNetwork, type ExportOptions } from "./export.ts";
import { inspectModel } from "./inspect.ts";
import { parameterHash } from "./parameter-hash.ts";

/** Two pixels of two channels, weights that can be read off: exact in float32, so that no machine rounds otherwise. */
const tiny = network([1, 2, 2], conv2d(1, 1, { bias: false }), relu(), flatten(), linear(2));
const tinyParameters = new Map([
  ["conv1.weight", tensor([0.5, -1], [1, 1, 1, 2], { backend })],
  ["fc1.weight", tensor([1, 2, -3, 0.25], [2, 2], { backend })],
  ["fc1.bias", tensor([0, -0.125], [2], { backend })],
]);

const images = network([8, 8, 3], conv2d(4, 3), relu(), dropout(0.5), maxPool2d(2), flatten(), linear(10));
const parameters = initialise(images, { backend, seed: 3 });

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function operations(bytes: Uint8Array): Record<string, number> {
  return Object.fromEntries(inspectModel(bytes, "m").operations);
}

function refusal(
  whole: Network,
  given: Partial<ExportOptions> = {},
  from: Parameters<typeof exportNetwork>[1] = parameters,
): unknown {
  try {
    exportNetwork(whole, from, { transform: "none", ...given });
  } catch (error) {
    return error;
  }
  return "accepted";
}

test("the same network gives the same bytes, whatever the order of its parameters and metadata", () => {
  const first = exportNetwork(images, parameters, { transform: "none", metadata: { a: "1", b: "2" } });
  const again = exportNetwork(images, new Map([...parameters].toReversed()), {
    transform: "none",
    metadata: { b: "2", a: "1" },
  });

  expect(sha256(again)).toBe(sha256(first));
});

test("the bytes of a tiny network are what they have always been", () => {
  const bytes = exportNetwork(tiny, tinyParameters, {
    task: "digits 0 and 1",
    classes: ["zero", "one"],
    transform: [
      { kind: "permute", permutation: [1, 0] },
      { kind: "normalise", mean: [0.5, 0.25], std: [1, 2] },
    ],
    softmax: true,
    metadata: { author: "somebody" },
  });

  // If the change is meant, print the digest here and say in the commit why files of old networks differ from now on.
  expect(bytes.length).toBe(4070);
  expect(sha256(bytes)).toBe("568df2bc82c05835189fb1262c3d004d8b3c20168a0efc0ad1975415fa158708");
});

test("the file says what it is: input, output, operations, metadata", () => {
  const summary = inspectModel(
    exportNetwork(images, parameters, {
      name: "flowers",
      task: "task 3",
      classes: Array.from({ length: 10 }, (_, i) => `class ${i}`),
      transform: [{ kind: "normalise", mean: [0.1, 0.2, 0.3], std: [1, 2, 3] }],
      metadata: { zebra: "z", "my.key": "é" },
    }),
    "flowers.onnx",
  );

  expect(summary).toMatchObject({
    irVersion: 8,
    opset: 17,
    producer: "milliner",
    graph: "flowers",
    inputs: [{ name: "x", dtype: "uint8", shape: ["batch", 8, 8, 3] }],
    outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 10] }],
    nodes: 5 + 7,
    parameters: 4 * 9 * 3 + 4 + 36 * 10 + 10, // the network's, and none of the transform's numbers
    externalData: [],
  });
  expect([...summary.operations.keys()]).toEqual([
    "Cast",
    "Constant",
    "Add",
    "Gather",
    "Transpose",
    "Conv",
    "Relu",
    "MaxPool",
    "Flatten",
    "Gemm",
  ]);
  expect([...summary.metadata]).toEqual([
    ["milliner.format", "2"],
    ["milliner.layout", "nhwc"],
    ["milliner.task", "task 3"],
    [
      "milliner.classes",
      '["class 0","class 1","class 2","class 3","class 4","class 5","class 6","class 7","class 8","class 9"]',
    ],
    ["milliner.transform", '[{"kind":"normalise","mean":[0.1,0.2,0.3],"std":[1,2,3]}]'],
    ["milliner.hash", parameterHash(images, parameters)],
    ["Image.BitmapPixelFormat", "Rgb8"],
    ["Image.NominalPixelRange", "NominalRange_0_255"],
    ["my.key", "é"],
    ["zebra", "z"],
  ]);
});

test("the hash follows the parameters and nothing else", () => {
  const hash = (bytes: Uint8Array): string | undefined =>
    inspectModel(bytes, "m").metadata.get("milliner.hash");
  const moved = new Map(parameters);
  moved.set(
    "fc1.bias",
    tensor(
      parameters.get("fc1.bias")!.data.map((b, i) => (i === 9 ? b + 1 : b)),
      [10],
      { backend },
    ),
  );

  const original = hash(exportNetwork(images, parameters, { transform: "none" }));

  expect(hash(exportNetwork(images, parameters, { transform: "none", layout: "nhwc", softmax: true }))).toBe(
    original,
  );
  expect(hash(exportNetwork(images, moved, { transform: "none" }))).not.toBe(original);
});

test("a transpose stands only where the order of elements asks for one", () => {
  const transposes = (whole: Network, layout: "nchw" | "nhwc"): number =>
    operations(exportNetwork(whole, initialise(whole, { backend, seed: 1 }), { transform: "none", layout }))[
      "Transpose"
    ] ?? 0;
  const mlp = network([4, 4, 2], flatten(), linear(2));
  const grey = network([4, 4, 1], flatten(), linear(2));
  const pointwise = network([2, 2, 3], conv2d(4, 2), relu(), flatten(), linear(2));

  expect([transposes(mlp, "nchw"), transposes(mlp, "nhwc")]).toEqual([1, 0]);
  expect([transposes(grey, "nchw"), transposes(grey, "nhwc")]).toEqual([0, 0]);
  expect([transposes(pointwise, "nchw"), transposes(pointwise, "nhwc")]).toEqual([0, 1]);
  expect([transposes(images, "nchw"), transposes(images, "nhwc")]).toEqual([1, 2]);
});

test("parameters that are missing, of another shape or not finite are refused by name", () => {
  const without = new Map(parameters);
  without.delete("conv1.bias");
  const narrow = new Map(parameters).set("fc1.weight", tensor(new Float32Array(350), [10, 35], { backend }));
  const broken = new Map(parameters).set(
    "fc1.bias",
    tensor([0, 1, NaN, 0, 0, 0, 0, 0, 0, 0], [10], { backend }),
  );

  expect(refusal(images, {}, without)).toMatchObject({
    name: "ConfigError",
    code: "MISSING_PARAMETER",
    message: 'the network reads "conv1.bias", which was not given',
  });
  expect(refusal(images, {}, narrow)).toMatchObject({
    name: "ShapeError",
    message: 'parameter "fc1.weight" is [10, 35] but the network reads [10, 36]',
  });
  expect(refusal(images, {}, broken)).toBeInstanceOf(NumericError);
  expect(refusal(images, {}, broken)).toMatchObject({
    code: "NOT_FINITE",
    message: 'parameter "fc1.bias" is NaN at element 2 of 10; export a checkpoint from before it went wrong',
  });
});

test("networks that do not hold together are refused before anything is written", () => {
  const edited = (index: number, change: object): Network => ({
    ...images,
    nodes: images.nodes.map((node, i) => (i === index ? Object.assign({}, node, change) : node)),
  });

  expect(refusal(edited(1, { shape: [6, 6, 5] }))).toMatchObject({
    name: "ShapeError",
    code: "SHAPE_MISMATCH",
  });
  expect(
    refusal(edited(5, { layer: { kind: "linear", inputs: 35, outputs: 10, bias: true } })),
  ).toMatchObject({
    message: 'linear "fc1" expects [n, 35] but gets [n, 36]',
  });
  expect(refusal(edited(3, { layer: { kind: "max-pool2d", kernel: [7, 2], stride: [2, 2] } }))).toMatchObject(
    {
      message: '"pool1": a window of 7 does not fit into 6 pixels',
    },
  );
  expect(refusal(edited(0, { layer: { ...images.nodes[0]!.layer, stride: [0, 1] } }))).toMatchObject({
    code: "BAD_SIZE",
  });
  expect(refusal(edited(1, { inputs: ["fc1"] }))).toMatchObject({
    name: "ConfigError",
    code: "UNKNOWN_INPUT",
  });
  expect(refusal(edited(1, { inputs: [] }))).toMatchObject({ code: "UNKNOWN_INPUT" });
  expect(refusal(edited(1, { name: "conv1" }))).toMatchObject({ code: "DUPLICATE_NAME" });
  expect(refusal(edited(1, { name: "a/b" }))).toMatchObject({ code: "BAD_NAME" });
  expect(refusal({ ...images, output: "fc2" })).toMatchObject({ code: "UNKNOWN_INPUT" });
});

test("options that do not fit the network, or that nothing could read back, are refused", () => {
  expect(refusal(images, { classes: ["one"] })).toBeInstanceOf(ShapeError);
  expect(refusal(network([2, 2, 1], relu()), { softmax: true })).toBeInstanceOf(ShapeError);
  expect(refusal(images, { metadata: { "milliner.hash": "" } })).toMatchObject({ code: "RESERVED_KEY" });
  expect(refusal(images, { metadata: { key: "\ud800" } })).toBeInstanceOf(ConfigError);
  expect(refusal(images, { task: "\udc00" })).toMatchObject({ code: "BAD_OPTION" });
  expect(refusal(images, { soft_max: true } as never)).toMatchObject({
    code: "UNKNOWN_KEY",
    message: 'exportNetwork has no option "soft_max"; did you mean "softmax"?',
  });
  expect(refusal(images, { softmax: "false" as never })).toMatchObject({
    code: "BAD_VALUE",
    message: 'softmax of exportNetwork must be true or false, not "false"',
  });
});

test("a model without a word about its transform is refused; without one by name it takes floats", () => {
  // @ts-expect-error: what is forgotten is an error of the compiler too
  const forgotten = (): unknown => exportNetwork(images, parameters, { layout: "nhwc" });
  const nothing = (): unknown => Reflect.apply(exportNetwork, undefined, [images, parameters]);

  for (const each of [forgotten, nothing]) {
    expect(each).toThrow(ConfigError);
    expect(each).toThrow(expect.objectContaining({ code: "MISSING_TRANSFORM" }));
  }
  const { inputs, metadata } = inspectModel(exportNetwork(images, parameters, { transform: "none" }), "m");
  expect(inputs).toEqual([{ name: "x", dtype: "float32", shape: ["batch", 3, 8, 8] }]);
  expect([...metadata.keys()]).toEqual(["milliner.format", "milliner.layout", "milliner.hash"]);
});

test("a transform that does not fit the network's input is refused with its code", () => {
  const permute = { kind: "permute", permutation: [0, 1, 2] } as const;
  const normalise = { kind: "normalise", mean: [0, 0, 0], std: [1, 1, 1] } as const;

  expect(refusal(images, { transform: [permute] })).toMatchObject({ code: "BAD_PERMUTATION" });
  expect(refusal(images, { transform: [{ ...normalise, std: [1] }] })).toMatchObject({
    code: "BAD_NORMALISATION",
  });
  expect(refusal(images, { transform: [normalise, normalise] })).toMatchObject({ code: "BAD_TRANSFORM" });
  const vector = network([192], linear(10));
  expect(refusal(vector, { transform: [] }, initialise(vector, { backend, seed: 1 }))).toMatchObject({
    name: "ShapeError",
    message: expect.stringContaining("the network takes [n, 192]") as string,
  });
});

test("what ONNX says of images gives way to what the caller says of them", () => {
  const model = exportNetwork(images, parameters, {
    transform: [],
    metadata: { "Image.BitmapPixelFormat": "Bgr8" },
  });

  const { metadata } = inspectModel(model, "m");
  expect(metadata.get("Image.BitmapPixelFormat")).toBe("Bgr8");
  expect(metadata.get("Image.NominalPixelRange")).toBe("NominalRange_0_255");
});

test("a network above the limit of protobuf is refused before its parameters are looked at", () => {
  const wide = network([24_000], linear(24_000));

  expect(refusal(wide)).toMatchObject({ name: "ConfigError", code: "MODEL_TOO_LARGE" });
  expect(String(refusal(wide))).toContain("2304096000 bytes");
});

test("the size of a model is known without its parameters, also above the limit of protobuf", () => {
  const given: ExportOptions = { transform: [], task: "t", metadata: { a: "ä" } };
  const wide = network([24_000], linear(24_000));

  expect(exportedBytes(images, given)).toBe(exportNetwork(images, parameters, given).length);
  expect(exportedBytes(tiny, { transform: "none" })).toBe(
    exportNetwork(tiny, tinyParameters, { transform: "none" }).length,
  );
  const head = exportedBytes(wide, { transform: "none" }) - 2_304_096_000;
  expect(head).toBeGreaterThan(0);
  expect(head).toBeLessThan(1000);
});
