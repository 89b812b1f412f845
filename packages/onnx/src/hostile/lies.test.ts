import { expect, test } from "vitest";
import { inspectModel } from "../inspect.ts";
import { limits } from "../limits.ts";
import { MessageWriter } from "../message-writer.ts";
import { OnnxError } from "../onnx-error.ts";

const message = (): MessageWriter => new MessageWriter();
const raw = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

/** A model that is right but for its graph. */
function model(graph: MessageWriter): Uint8Array {
  return message().integer(1, 8).message(7, graph).finish();
}

/** A model with one initialiser, of float32 unless said otherwise. */
function withTensor(tensor: MessageWriter): Uint8Array {
  return model(message().message(5, tensor));
}

function external(...entries: readonly (readonly [string, string])[]): MessageWriter {
  const tensor = message().integer(1, 2).integer(2, 1).string(8, "w");
  for (const [key, value] of entries) tensor.message(13, message().string(1, key).string(2, value));
  return tensor.integer(14, 1);
}

function withMetadata(...entries: readonly MessageWriter[]): Uint8Array {
  const whole = message().integer(1, 8).message(7, message());
  for (const entry of entries) whole.message(14, entry);
  return whole.finish();
}

function opset(domain: string, version: number): MessageWriter {
  return message().string(1, domain).integer(2, version);
}

function input(type: MessageWriter): Uint8Array {
  return model(message().message(11, message().string(1, "x").message(2, type)));
}

/** An `If` in an `If` in an `If` ...: each takes three messages (node, attribute, graph). */
function nested(levels: number): MessageWriter {
  let graph = message();
  for (let level = 0; level < levels; level++) {
    graph = message().message(1, message().string(4, "If").message(5, message().message(6, graph)));
  }
  return graph;
}

function repeated(field: number, count: number): MessageWriter {
  const graph = message();
  const empty = message();
  for (let i = 0; i < count; i++) graph.message(field, empty);
  return graph;
}

/** A model of so many initialisers of nothing but a name each: field 5 holds field 8 of three letters. */
function namedInitialisers(count: number): Uint8Array {
  const graph = new Uint8Array(7 * count);
  for (let i = 0; i < count; i++) graph.set([0x2a, 5, 0x42, 3, i & 127, (i >> 7) & 127, i >> 14], 7 * i);
  return message().integer(1, 8).bytes(7, graph).finish();
}

/** Every way to lie that was thought of: what it is, the bytes, the code, what the message has to say. */
const lies: readonly (readonly [lie: string, file: Uint8Array, code: string, says: RegExp])[] = [
  ["no bytes at all", raw(), "NOT_A_MODEL", /m\.onnx at byte 0 ends without a graph/],
  ["a graph without a version", message().message(7, message()).finish(), "NOT_A_MODEL", /without a version/],
  ["text", new TextEncoder().encode("hello, I am a model"), "BAD_WIRE_TYPE", /field 13 of wire type 4/],
  [
    "a length beyond the file",
    raw(8, 8, 0x3a, 100, 1),
    "TRUNCATED",
    /promises 100 bytes where its message has 1 left: the file ends early, or is damaged; fetch it again$/,
  ],
  [
    "a length beyond the enclosing message, but within the file",
    // The graph has four bytes, of which a node claims ten; enough follow, in the metadata.
    raw(8, 8, 0x3a, 4, 0x0a, 10, 0, 0, 0x72, 12, 0x0a, 4, 97, 98, 99, 100, 0x12, 4, 97, 98, 99, 100),
    "TRUNCATED",
    /promises 10 bytes where its message has 2 left; it is damaged, or made to harm$/,
  ],
  [
    "a length of 2^64 - 1",
    raw(0x3a, ...Array(9).fill(0xff), 1),
    "TRUNCATED",
    /promises 18446744073709552000 bytes/,
  ],
  ["a number of 11 bytes", raw(8, ...Array(10).fill(0x80), 0), "BAD_VARINT", /more than 64 bits/],
  ["a number of 70 bits", raw(8, ...Array(9).fill(0xff), 0x7f), "BAD_VARINT", /more than 64 bits/],
  [
    "a number that does not end",
    raw(8, 0x80, 0x80),
    "TRUNCATED",
    /ends within a number: the file ends early/,
  ],
  [
    "a fixed number that does not end",
    raw(0x7d, 1, 2),
    "TRUNCATED",
    /promises 4 bytes where its message has 2/,
  ],
  ["field 0", raw(0, 1), "BAD_FIELD", /field of number 0/],
  ["a field above 2^29", raw(0x80, 0x80, 0x80, 0x80, 0x10, 1), "BAD_FIELD", /number 536870912/],
  ["a group", raw(0x0b, 0x0c), "BAD_WIRE_TYPE", /field 1 of wire type 3/],
  ["the end of a group", raw(0x0c), "BAD_WIRE_TYPE", /wire type 4/],
  ["wire type 6", raw(0x0e), "BAD_WIRE_TYPE", /wire type 6/],
  ["wire type 7", raw(0x0f), "BAD_WIRE_TYPE", /wire type 7/],
  ["a graph that is a number", raw(8, 8, 0x38, 1), "BAD_WIRE_TYPE", /wire type 0 in field 7/],
  ["a version that is a text", message().string(1, "8").finish(), "BAD_WIRE_TYPE", /wire type 2 in field 1/],
  ["a negative version", message().integer(1, -8).finish(), "BAD_DIMENSION", /gives -8 as the version/],
  [
    "two graphs",
    message().integer(1, 8).message(7, message()).message(7, message()).finish(),
    "REPEATED",
    /second graph/,
  ],
  ["eleven graphs in each other", model(nested(11)), "TOO_DEEP", /more than 32 deep/],
  ["a thousand graphs in each other", model(nested(1000)), "TOO_DEEP", /more than 32 deep/],
  ["too many nodes", model(repeated(1, limits.nodes + 1)), "TOO_MANY", /more than 1000000 nodes/],
  [
    "too many inputs",
    model(repeated(11, limits.entries + 1)),
    "TOO_MANY",
    /more than 10000 inputs or outputs/,
  ],
  [
    "a name that is too long",
    model(message().string(2, "a".repeat(65_537))),
    "TOO_LONG",
    /of 65537 bytes, and at most 65536 are read/,
  ],
  [
    "a name that is not UTF-8",
    model(message().bytes(2, raw(0xc3, 0x28))),
    "BAD_UTF8",
    /name of a graph that is not UTF-8/,
  ],
  ["half of a surrogate pair", model(message().bytes(2, raw(0xed, 0xa0, 0x80))), "BAD_UTF8", /not UTF-8/],
  ["a slash in too many bytes", model(message().bytes(2, raw(0xc0, 0xaf))), "BAD_UTF8", /not UTF-8/],
  [
    "a metadata key that is not UTF-8",
    withMetadata(message().bytes(1, raw(0xff)).string(2, "")),
    "BAD_UTF8",
    /a key of metadata/,
  ],
  [
    "a metadata key twice",
    withMetadata(message().string(1, "k").string(2, "1"), message().string(1, "k").string(2, "2")),
    "REPEATED",
    /the key "k" of metadata twice, with two values/,
  ],
  [
    "a negative dimension",
    withTensor(message().integer(1, -2).integer(2, 1)),
    "BAD_DIMENSION",
    /dimension of -2/,
  ],
  [
    "two negative dimensions, whose product is right",
    withTensor(
      message()
        .integer(1, -1)
        .integer(1, -1)
        .integer(2, 1)
        .bytes(9, raw(0, 0, 0, 0)),
    ),
    "BAD_DIMENSION",
    /dimension of -1/,
  ],
  [
    "dimensions whose product is 0 in 64 bits",
    withTensor(
      message()
        .integer(1, 2 ** 32)
        .integer(1, 2 ** 32)
        .integer(2, 1)
        .bytes(9, raw()),
    ),
    "BAD_DIMENSION",
    /\[4294967296, 4294967296\] elements, which is more than 2\^53/,
  ],
  [
    "dimensions whose product is 1 in 64 bits",
    // 7 and its inverse modulo 2^64, 7905747460161236407; packed, as protobuf allows.
    withTensor(
      message()
        .bytes(1, raw(0x7, 0xb7, 0xdb, 0xed, 0xb6, 0xdb, 0xed, 0xb6, 0xdb, 0x6d))
        .integer(2, 2)
        .bytes(9, raw(0)),
    ),
    "BAD_DIMENSION",
    /more than 2\^53/,
  ],
  [
    "more dimensions than anyone has",
    withTensor(message().bytes(1, new Uint8Array(65).fill(1)).integer(2, 2).bytes(9, raw(0))),
    "BAD_DIMENSION",
    /more than 64 dimensions/,
  ],
  [
    "a tensor larger than memory in a file of few bytes",
    withTensor(
      message()
        .integer(1, 2 ** 40)
        .integer(2, 1)
        .bytes(9, raw(0, 0, 0, 0)),
    ),
    "SIZE_MISMATCH",
    /has 4 bytes of data for 1099511627776 elements of float32, which take 4398046511104/,
  ],
  [
    "raw data that is cut short",
    withTensor(
      message()
        .integer(1, 2)
        .integer(2, 1)
        .bytes(9, raw(0, 0, 0, 0, 0, 0, 0)),
    ),
    "SIZE_MISMATCH",
    /has 7 bytes of data for 2 elements of float32, which take 8/,
  ],
  [
    "a tensor without data",
    withTensor(message().integer(1, 2).integer(2, 1)),
    "SIZE_MISMATCH",
    /0 numbers for 2 elements/,
  ],
  [
    "data in two places",
    withTensor(
      message()
        .integer(1, 1)
        .integer(2, 1)
        .bytes(4, raw(0, 0, 0, 0))
        .bytes(9, raw(0, 0, 0, 0)),
    ),
    "SIZE_MISMATCH",
    /4 bytes of data for 1 elements/,
  ],
  [
    "float data in seven bytes",
    withTensor(
      message()
        .integer(1, 2)
        .integer(2, 1)
        .bytes(4, raw(0, 0, 0, 0, 0, 0, 0)),
    ),
    "SIZE_MISMATCH",
    /numbers of 4 bytes into 7 bytes/,
  ],
  [
    "packed integers that end within a number",
    withTensor(message().integer(1, 2).integer(2, 7).bytes(7, raw(1, 0x80))),
    "TRUNCATED",
    /ends within a number/,
  ],
  [
    "data of another type",
    withTensor(message().integer(1, 1).integer(2, 1).bytes(7, raw(1))),
    "SIZE_MISMATCH",
    /0 numbers for 1 elements of float32/,
  ],
  ["an unknown type of elements", withTensor(message().integer(2, 99)), "BAD_TYPE", /unknown type 99/],
  ["a tensor of no type", withTensor(message()), "BAD_TYPE", /a tensor of no type/],
  [
    "two versions of one opset",
    message()
      .integer(1, 8)
      .message(7, message())
      .message(8, opset("", 13))
      .message(8, opset("ai.onnx", 14))
      .finish(),
    "REPEATED",
    /two versions of the opset of "ai\.onnx"/,
  ],
  [
    "data in a place of number 2",
    withTensor(message().integer(2, 1).integer(14, 2)),
    "BAD_EXTERNAL_DATA",
    /number 2/,
  ],
  [
    "external data without a file",
    withTensor(external(["offset", "0"])),
    "BAD_EXTERNAL_DATA",
    /does not say which/,
  ],
  [
    "external data at a negative offset",
    withTensor(external(["location", "w"], ["offset", "-1"])),
    "BAD_EXTERNAL_DATA",
    /gives "-1" as offset/,
  ],
  [
    "external data at an offset of a hundred digits",
    withTensor(external(["location", "w"], ["offset", "9".repeat(100)])),
    "BAD_EXTERNAL_DATA",
    /as offset/,
  ],
  [
    "external data of another length",
    withTensor(external(["location", "w"], ["length", "9"])),
    "SIZE_MISMATCH",
    /takes 9 bytes of another file for a tensor of 8 bytes/,
  ],
  [
    "an input of two types",
    input(message().message(1, message()).message(4, message())),
    "REPEATED",
    /two types/,
  ],
  [
    "a lie deep in a branch of an If",
    model(
      message().message(
        1,
        message().message(
          5,
          message().message(6, message().message(5, message().integer(1, 3).integer(2, 1).bytes(9, raw(0)))),
        ),
      ),
    ),
    "SIZE_MISMATCH",
    /has 1 bytes of data for 3 elements/,
  ],
  [
    "a lie in a function",
    message()
      .integer(1, 8)
      .message(7, message())
      .message(25, message().message(7, message().bytes(4, raw(0xff))))
      .finish(),
    "BAD_UTF8",
    /the name of an operation/,
  ],
];

for (const [lie, file, code, says] of lies) {
  test(`${lie}: refused with the place and the reason`, () => {
    let refusal: unknown;
    try {
      inspectModel(file, "m.onnx");
    } catch (error) {
      refusal = error;
    }

    expect(refusal).toBeInstanceOf(OnnxError);
    expect((refusal as OnnxError).code).toBe(code);
    expect((refusal as OnnxError).message).toMatch(says);
    expect((refusal as OnnxError).message).toMatch(/^m\.onnx at byte \d+ /);
  });
}

test.each<[what: string, file: Uint8Array, code: string]>([
  ["a long name", model(message().string(2, "a".repeat(65_537))), "TOO_LONG"],
  ["long metadata", withMetadata(message().string(2, "a".repeat(limits.textBytes + 1))), "TOO_LONG"],
  [
    "many dimensions of a tensor",
    withTensor(message().bytes(1, new Uint8Array(65).fill(1))),
    "BAD_DIMENSION",
  ],
  [
    "many dimensions of an input",
    input(message().message(1, message().message(2, repeated(1, 65)))),
    "BAD_DIMENSION",
  ],
  ["deep branches", model(nested(11)), "TOO_DEEP"],
  ["many nodes", model(repeated(1, limits.nodes + 1)), "TOO_MANY"],
  ["many inputs", model(repeated(11, limits.entries + 1)), "TOO_MANY"],
  ["many initialisers", namedInitialisers(limits.initialisers + 1), "TOO_MANY"],
  ["a type that a later version of the format brought", withTensor(message().integer(2, 27)), "BAD_TYPE"],
])("%s are a limit of the reader, which calls no sound model damaged", (_what, file, code) => {
  let refusal: unknown;
  try {
    inspectModel(file, "m.onnx");
  } catch (error) {
    refusal = error;
  }

  expect(refusal).toMatchObject({ code });
  expect((refusal as OnnxError).message).toMatch(
    /^m\.onnx at byte \d+ .*; that is a limit of this reader, the model itself may be sound$/,
  );
});

test("ten graphs in each other are read", () => {
  const { operations } = inspectModel(model(nested(10)), "m");

  expect([...operations]).toEqual([["If", 10]]);
});

test("__proto__ is a metadata key like any other", () => {
  const { metadata } = inspectModel(
    withMetadata(
      message().string(1, "__proto__").string(2, "polluted"),
      message().string(1, "constructor").string(2, "also"),
    ),
    "m",
  );

  expect([...metadata]).toEqual([
    ["__proto__", "polluted"],
    ["constructor", "also"],
  ]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("__proto__ is an operation like any other", () => {
  const { operations } = inspectModel(model(message().message(1, message().string(4, "__proto__"))), "m");

  expect(operations.get("__proto__")).toBe(1);
});

const locations: readonly (readonly [location: string, insideFolder: boolean])[] = [
  ["weights.bin", true],
  ["folder/weights.bin", true],
  ["weights..bin", true],
  ["../weights.bin", false],
  ["folder/../../weights.bin", false],
  ["..", false],
  ["/etc/passwd", false],
  ["~/weights.bin", false],
  ["C:weights.bin", false],
  ["c:/weights.bin", false],
  ["..\\weights.bin", false],
  ["\\\\server\\share", false],
  ["weights\0.bin", false],
];

test.each(locations)(
  "external data at %j is reported, not opened; inside the folder: %j",
  (location, insideFolder) => {
    const { externalData, parameters } = inspectModel(
      withTensor(external(["location", location], ["offset", "4096"])),
      "m",
    );

    expect(externalData).toEqual([{ tensor: "w", location, offset: 4096, length: undefined, insideFolder }]);
    expect(parameters).toBe(2);
  },
);

test("a refusal shows no control characters of the file or of its name", () => {
  const file = withMetadata(
    message().string(1, "\u001b[2Jk\u202e").string(2, ""),
    message().string(1, "\u001b[2Jk\u202e").string(2, "other"),
  );

  expect(() => inspectModel(file, "a\nb\u0007.onnx")).toThrow(
    /^a\\u\{a\}b\\u\{7\}\.onnx at byte \d+ gives the key [ -~]+$/,
  );
});
