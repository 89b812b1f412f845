import { expect, test } from "vitest";
import { inspectModel } from "./inspect.ts";
import { MessageWriter } from "./message-writer.ts";
import { loadOnnxRuntime } from "./runtime.ts";

const message = (): MessageWriter => new MessageWriter();
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** A tensor of three elements of a type, whose data is in one field. */
function tensor(type: number, field: number, data: Uint8Array): MessageWriter {
  return message().integer(1, 3).integer(2, type).bytes(field, data);
}

function model(graph: MessageWriter): MessageWriter {
  return message().integer(1, 8).message(7, graph);
}

/** Where `onnx.proto` lets the elements of each type lie when they are not raw: type, field, bytes of three elements. */
const typedData: readonly (readonly [type: string, number: number, field: number, data: Uint8Array])[] = [
  ["float32", 1, 4, new Uint8Array(12)],
  ["uint8", 2, 5, bytes(1, 2, 3)],
  ["int8", 3, 5, bytes(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2)],
  ["uint16", 4, 5, bytes(1, 0x80, 1, 2)],
  ["int16", 5, 5, bytes(1, 2, 3)],
  ["int32", 6, 5, bytes(1, 2, 3)],
  ["int64", 7, 7, bytes(1, 2, 3)],
  ["bool", 9, 5, bytes(1, 0, 1)],
  ["float16", 10, 5, bytes(1, 0, 1)],
  ["float64", 11, 10, new Uint8Array(24)],
  ["uint32", 12, 11, bytes(1, 2, 3)],
  ["uint64", 13, 11, bytes(1, 2, 3)],
  ["complex64", 14, 4, new Uint8Array(24)],
  ["complex128", 15, 10, new Uint8Array(48)],
  ["bfloat16", 16, 5, bytes(1, 0, 1)],
  ["float8e5m2", 19, 5, bytes(1, 0, 1)],
  ["uint4", 21, 5, bytes(0x21, 3)],
  ["int2", 26, 5, bytes(0x15)],
];

test.each(typedData)("%s is read from its list of numbers", (_name, number, field, data) => {
  const { parameters } = inspectModel(model(message().message(5, tensor(number, field, data))).finish(), "m");

  expect(parameters).toBe(3);
});

test.each([
  ["float32", 1, 12],
  ["int8", 3, 3],
  ["bool", 9, 3],
  ["float16", 10, 6],
  ["complex128", 15, 48],
  ["int4", 22, 2],
  ["uint2", 25, 1],
] as const)("three elements of %s are so many raw bytes", (_name, number, size) => {
  const file = (length: number): Uint8Array =>
    model(message().message(5, tensor(number, 9, new Uint8Array(length)))).finish();

  expect(inspectModel(file(size), "m").parameters).toBe(3);
  expect(() => inspectModel(file(size - 1), "m")).toThrow(/3 elements/);
  expect(() => inspectModel(file(size + 1), "m")).toThrow(/3 elements/);
});

test("scalars, empty tensors and strings are tensors", () => {
  const graph = message()
    .message(5, message().integer(2, 1).bytes(9, new Uint8Array(4)))
    .message(
      5,
      message()
        .integer(1, 0)
        .integer(1, 2 ** 52)
        .integer(2, 1),
    )
    .message(5, message().integer(1, 2).integer(2, 8).string(6, "a").string(6, ""));

  expect(inspectModel(model(graph).finish(), "m").parameters).toBe(1 + 0 + 2);
});

test("nodes and weights are counted in branches, in functions and in sparse tensors", () => {
  const weight = tensor(2, 9, bytes(1, 2, 3));
  const indices = tensor(7, 7, bytes(0, 4, 8));
  const relu = message().string(4, "Relu");
  const branch = message().message(1, relu).message(5, weight);
  const choice = message()
    .string(4, "If")
    .message(5, message().message(6, branch))
    .message(5, message().message(6, branch));
  const graph = message()
    .message(1, choice)
    .message(1, message().string(4, "Gelu").string(7, "com.example"))
    .message(15, message().message(1, weight).message(2, indices).integer(3, 9));
  const file = model(graph).message(25, message().message(7, relu).string(10, "com.example")).finish();

  const summary = inspectModel(file, "m");

  expect([...summary.operations]).toEqual([
    ["Relu", 3],
    ["If", 1],
    ["com.example.Gelu", 1],
  ]);
  expect(summary).toMatchObject({ nodes: 5, parameters: 9 });
});

/** y = x + weight, of two elements. */
interface Sum {
  readonly name?: string;
  readonly irVersion?: number;
  /** Whether the weight is listed among the inputs too. */
  readonly isInput?: boolean;
  /** What `x` says of its size. */
  readonly size?: number;
  readonly opsets?: readonly (readonly [domain: string, version: number])[];
}

function sum({ name = "w", irVersion = 8, isInput = false, size = 2, opsets = [["", 13]] }: Sum): Uint8Array {
  const value = (of: string, elements: number): MessageWriter =>
    message()
      .string(1, of)
      .message(
        2,
        message().message(
          1,
          message()
            .integer(1, 1)
            .message(2, message().message(1, message().integer(1, elements))),
        ),
      );
  const weight = message()
    .integer(1, 2)
    .integer(2, 1)
    .string(8, name)
    .bytes(9, bytes(0, 0, 0x80, 0x3f, 0, 0, 0, 0x40));
  const graph = message()
    .message(1, message().string(1, "x").string(1, name).string(2, "y").string(4, "Add"))
    .string(2, "sum")
    .message(5, weight)
    .message(11, value("x", size));
  if (isInput) graph.message(11, value(name, 2));
  const whole = message()
    .integer(1, irVersion)
    .message(7, graph.message(12, value("y", size)));
  for (const [domain, version] of opsets) whole.message(8, message().string(1, domain).integer(2, version));
  return whole.finish();
}

test.each<[what: string, model: Sum, shape: (number | null)[]]>([
  [
    "an initialiser that is an input too, as before version 4 of the format",
    { irVersion: 3, isInput: true, opsets: [["", 8]] },
    [2],
  ],
  ["an initialiser that is kept as an input", { isInput: true }, [2]],
  [
    "both names of the standard operators, with one version",
    {
      opsets: [
        ["", 13],
        ["ai.onnx", 13],
      ],
    },
    [2],
  ],
  [
    "one opset twice",
    {
      opsets: [
        ["", 13],
        ["", 13],
      ],
    },
    [2],
  ],
  ["a name of 5,000 bytes", { name: "w".repeat(5000) }, [2]],
  ["a size of -1, which is any", { size: -1 }, [null]],
])("%s: read as onnxruntime does", async (_what, options, shape) => {
  const file = sum(options);
  const runtime = await loadOnnxRuntime();
  if ("missing" in runtime) throw new Error(runtime.missing);
  const session = await runtime.load(file, { threads: 1 });
  const { data } = await session.run(Float32Array.of(1, 1), [2]);
  await session.release();

  const { inputs, parameters, opset } = inspectModel(file, "m");

  expect([...data]).toEqual([2, 3]);
  expect(inputs.map(({ name }) => name)).toEqual(session.inputs);
  expect(inputs[0]!.shape).toEqual(shape);
  expect([parameters, opset]).toEqual([2, options.opsets?.[0]![1] ?? 13]);
});

test("a model of more initialisers than inputs are listed is read, each of them kept as an input", () => {
  const graph = message();
  for (let i = 0; i < 10_001; i++)
    graph.message(5, message().integer(2, 1).string(8, `w${i}`).bytes(9, new Uint8Array(4)));
  for (let i = 0; i < 10_001; i++) graph.message(11, message().string(1, `w${i}`));

  const { inputs, parameters } = inspectModel(
    model(graph.message(11, message().string(1, "x"))).finish(),
    "m",
  );

  expect(inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(parameters).toBe(10_001);
});

test.each<[holds: string, attribute: MessageWriter, elements: number]>([
  [
    "a tensor",
    message()
      .message(5, tensor(1, 9, new Uint8Array(12)))
      .integer(20, 4),
    3,
  ],
  [
    "a sparse tensor",
    message().message(
      22,
      message()
        .message(1, tensor(2, 9, bytes(1, 2, 3)))
        .message(2, tensor(7, 7, bytes(0, 1, 2))),
    ),
    3,
  ],
  ["packed floats", message().bytes(7, new Uint8Array(20)).integer(20, 6), 5],
  ["whole numbers, one by one", message().integer(8, 4).integer(8, 300).integer(20, 7), 2],
  ["texts", message().string(9, "a").string(9, "").string(9, "c").integer(20, 8), 3],
  ["the number 0, which is not written", message().integer(20, 1), 1],
])(
  "a Constant that holds %s is counted by its elements, and no other operation by its attributes",
  (_holds, attribute, elements) => {
    const node = (operation: string): MessageWriter => message().message(5, attribute).string(4, operation);
    const count = (...nodes: readonly MessageWriter[]): number => {
      const graph = message();
      for (const each of nodes) graph.message(1, each);
      return inspectModel(model(graph).finish(), "m").constants;
    };

    expect(count(node("Constant"), node("Constant"))).toBe(2 * elements);
    expect(count(node("ConstantOfShape"), node("Constant").string(7, "com.example"))).toBe(0);
  },
);

test("inputs say their types and shapes as far as the file does", () => {
  const dimension = message;
  const shape = message()
    .message(1, dimension().string(2, "batch"))
    .message(1, dimension())
    .message(1, dimension().integer(1, 0))
    .message(1, dimension().integer(1, 784));
  const value = (name: string, type: MessageWriter): MessageWriter =>
    message().string(1, name).message(2, type);
  const graph = message()
    .message(11, value("known", message().message(1, message().integer(1, 7).message(2, shape))))
    .message(11, value("any shape", message().message(1, message().integer(1, 10))))
    .message(11, value("scalar", message().message(1, message().integer(1, 1).message(2, message()))))
    .message(11, value("new type", message().message(1, message().integer(1, 99))))
    .message(11, value("list", message().message(4, message())))
    .message(11, message().string(1, "nothing"));

  expect(inspectModel(model(graph).finish(), "m").inputs).toEqual([
    { name: "known", dtype: "int64", shape: ["batch", null, 0, 784] },
    { name: "any shape", dtype: "float16", shape: undefined },
    { name: "scalar", dtype: "float32", shape: [] },
    { name: "new type", dtype: "unknown", shape: undefined },
    { name: "list", dtype: "sequence", shape: undefined },
    { name: "nothing", dtype: "unknown", shape: undefined },
  ]);
});

test("opsets are told by domain, and fields that nobody knows yet are stepped over", () => {
  const opset = (domain: string, version: number): MessageWriter =>
    message().string(1, domain).integer(2, version);
  const file = model(message())
    .message(8, opset("", 21))
    .message(8, opset("ai.onnx.ml", 3))
    .integer(900, -1)
    .string(901, "something")
    .finish();

  const { opset: standard, opsets, bytes: size } = inspectModel(file, "m");

  expect(standard).toBe(21);
  expect(size).toBe(file.length);
  expect([...opsets]).toEqual([
    ["ai.onnx", 21],
    ["ai.onnx.ml", 3],
  ]);
});

test("a file inside a larger buffer is read as itself", () => {
  const file = model(message().string(2, "inner")).finish();
  const larger = new Uint8Array(file.length + 20).fill(0xff);
  larger.set(file, 10);

  expect(inspectModel(larger.subarray(10, 10 + file.length), "m")).toMatchObject({
    graph: "inner",
    bytes: file.length,
  });
});
