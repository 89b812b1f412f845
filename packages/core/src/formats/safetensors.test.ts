import fc from "fast-check";
import { describe, expect, inject, test } from "vitest";
import { CheckpointError } from "../errors.ts";
import { pieces } from "../pieces.ts";
import {
  readSafetensors,
  safetensorsPieces,
  writeSafetensors,
  type SafetensorsTensor,
} from "./safetensors.ts";

const anyTensor: fc.Arbitrary<SafetensorsTensor> = fc
  .tuple(
    fc.constantFrom("F32", "F64", "I32", "U32", "U8", "U16", "I64"),
    fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
    fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
  )
  .map(([dtype, shape, bytes]): SafetensorsTensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    const raw = (width: number): ArrayBuffer =>
      Uint8Array.from({ length: count * width }, () => bytes.next().value as number).buffer;
    switch (dtype) {
      case "F32":
        return { dtype, shape, data: new Float32Array(raw(4)) };
      case "F64":
        return { dtype, shape, data: new Float64Array(raw(8)) };
      case "I32":
        return { dtype, shape, data: new Int32Array(raw(4)) };
      case "U32":
        return { dtype, shape, data: new Uint32Array(raw(4)) };
      case "U16":
        return { dtype, shape, data: new Uint16Array(raw(2)) };
      case "I64":
        return { dtype, shape, data: new BigInt64Array(raw(8)) };
      default:
        return { dtype: "U8", shape, data: new Uint8Array(raw(1)) };
    }
  });

const bytesOf = ({ data }: SafetensorsTensor): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const anyFile = fc.uniqueArray(fc.tuple(fc.string(), anyTensor), {
  selector: ([name]) => name,
  maxLength: 6,
});

test("what was written is read back bit for bit, whatever the types, shapes and names", () => {
  fc.assert(
    fc.property(anyFile, fc.dictionary(fc.string(), fc.string()), fc.nat(7), (entries, metadata, shift) => {
      const file = writeSafetensors(new Map(entries), metadata);
      // A view that is not aligned: arrays are copied then.
      const shifted = new Uint8Array(file.length + shift).subarray(shift);
      shifted.set(file);

      for (const bytes of [file, shifted]) {
        const read = readSafetensors(bytes, "f");

        expect(Object.fromEntries(read.metadata)).toEqual({ ...metadata });
        expect(new Set(read.tensors.keys())).toEqual(new Set(entries.map(([name]) => name)));
        for (const [name, written] of entries) {
          const found = read.tensors.get(name)!;
          expect([found.dtype, found.shape]).toEqual([written.dtype, written.shape]);
          expect(bytesOf(found)).toEqual(bytesOf(written));
        }
      }
    }),
  );
});

test("the order of the arrays does not change a byte", () => {
  fc.assert(
    fc.property(anyFile, (entries) => {
      expect(writeSafetensors(new Map(entries))).toEqual(writeSafetensors(new Map(entries.toReversed())));
    }),
  );
});

test("arrays begin where their elements are aligned", () => {
  const file = writeSafetensors(
    new Map<string, SafetensorsTensor>([
      ["a", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ["b", { dtype: "F64", shape: [1], data: Float64Array.of(4) }],
      ["c", { dtype: "F32", shape: [1], data: Float32Array.of(5) }],
    ]),
  );

  const { tensors } = readSafetensors(file, "f");

  for (const { data } of tensors.values()) expect(data.buffer).toBe(file.buffer);
});

test("a tensor whose type, shape and data do not fit is not written", () => {
  const write = (name: string, shape: number[]) => (): unknown =>
    writeSafetensors(new Map([[name, { dtype: "F32" as const, shape, data: new Float32Array(3) }]]));

  expect(write("w", [2, 2])).toThrow(/"w" cannot be saved as F32 of shape \[2, 2\] with 3 elements/);
  expect(write("__metadata__", [3])).toThrow(CheckpointError);
});

/** A file with any header and `size` bytes behind it. */
function fileOf(header: string | Uint8Array, size: number, claimed?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.length + size);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

function entry(fields: object): string {
  return JSON.stringify({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });
}

const attacks: readonly (readonly [lie: string, file: Uint8Array])[] = [
  ["nothing at all", new Uint8Array(0)],
  ["seven bytes", new Uint8Array(7)],
  ["a header longer than the file", fileOf("{}", 0, 3n)],
  ["a header of 2^63 bytes", fileOf("{}", 0, 1n << 63n)],
  ["a header that is no JSON", fileOf("{", 0)],
  ["a header that is a list", fileOf("[]", 0)],
  ["a header that is no UTF-8", fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 0)],
  ["a header nested deeply", fileOf(`{"w":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, 0)],
  ["an entry that is null", fileOf(`{"w":null}`, 0)],
  ["an unknown type", fileOf(entry({ dtype: "F31" }), 8)],
  ["a type from the prototype", fileOf(entry({ dtype: "constructor" }), 8)],
  ["a negative size", fileOf(entry({ shape: [-2] }), 8)],
  ["a fractional size", fileOf(entry({ shape: [0.5, 4] }), 8)],
  ["sizes whose product overflows", fileOf(entry({ shape: [2 ** 40, 2 ** 40] }), 8)],
  ["sizes that are larger than their bytes", fileOf(entry({ shape: [3] }), 8)],
  ["more dimensions than anybody has", fileOf(entry({ shape: Array.from({ length: 99 }, () => 1) }), 8)],
  ["offsets the wrong way round", fileOf(entry({ data_offsets: [8, 0] }), 8)],
  ["three offsets", fileOf(entry({ data_offsets: [0, 8, 8] }), 8)],
  ["an end behind the file's", fileOf(entry({}), 4)],
  ["bytes behind the last array", fileOf(entry({}), 12)],
  ["a hole before the first array", fileOf(entry({ data_offsets: [4, 12] }), 12)],
  [
    "arrays that overlap",
    fileOf(
      `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}`,
      6,
    ),
  ],
  [
    "the same name twice",
    fileOf(
      `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`,
      8,
    ),
  ],
  [
    "the same name twice, the first time with what would not fit",
    fileOf(
      `{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`,
      4,
    ),
  ],
  [
    "the same name twice in two spellings",
    fileOf(
      `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\\u0061" : {"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`,
      4,
    ),
  ],
  ["a name of metadata twice", fileOf(`{"__metadata__":{"format":"pt","f\\u006frmat":"np"}}`, 0)],
  ["metadata twice", fileOf(`{"__metadata__":{"a":"1"},"__metadata__":{"b":"2"}}`, 0)],
  [
    "two shapes of one array",
    fileOf(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"shape":[2,2]}}`, 4),
  ],
  ["objects nested deeply", fileOf(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`, 0)],
  ["metadata that is a list", fileOf(`{"__metadata__":[]}`, 0)],
  ["metadata with a number", fileOf(`{"__metadata__":{"a":1}}`, 0)],
];

test.each(attacks)("refuses %s", (_, file) => {
  expect(() => readSafetensors(file, "bad.safetensors")).toThrow(
    expect.objectContaining({ code: "DAMAGED", message: expect.stringContaining("bad.safetensors") }),
  );
});

const widths: readonly (readonly [width: number, dtypes: readonly string[]])[] = [
  [1, ["BOOL", "U8", "I8"]],
  [2, ["U16", "I16", "F16", "BF16"]],
  [4, ["U32", "I32", "F32"]],
  [8, ["U64", "I64", "F64"]],
];

test.each(widths.flatMap(([width, dtypes]) => dtypes.map((dtype) => [dtype, width] as const)))(
  "%s is read where its elements are not aligned, from a Buffer at any place",
  (dtype, width) => {
    const bytes = Uint8Array.from({ length: 3 * width }, (_, i) => (dtype === "BOOL" ? i % 2 : 7 * i + 1));
    for (let before = 0; before < 8; before++) {
      const header = JSON.stringify({
        odd: { dtype: "U8", shape: [before], data_offsets: [0, before] },
        w: { dtype, shape: [3], data_offsets: [before, before + bytes.length] },
      });
      const file = fileOf(header, before + bytes.length);
      file.set(bytes, file.length - bytes.length);
      for (let shift = 0; shift < 8; shift++) {
        const place = Buffer.alloc(shift + file.length).subarray(shift);
        place.set(file);

        const { data } = readSafetensors(place, "f").tensors.get("w")!;

        expect(data).toHaveLength(3);
        expect(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).toEqual(bytes);
      }
    }
  },
);

test.each([
  ["a number", "100"],
  ["a boolean", "true"],
  ["null", "null"],
  ["a list", "[1]"],
  ["an object", "{}"],
])("metadata that hold %s are refused with their key and what to write", (what, value) => {
  expect(() => readSafetensors(fileOf(`{"__metadata__":{"step":${value}}}`, 0), "model.safetensors")).toThrow(
    expect.objectContaining({
      code: "DAMAGED",
      message:
        `model.safetensors holds metadata "step" as ${what}, but metadata are texts only; save it again with the value as a ` +
        `text, in quotation marks`,
    }),
  );
});

describe("no message has a control character of the file in it", () => {
  const evil = "\u001b[2J\u009b\u202ew";
  const at = (name: string, fields: object): string => JSON.stringify({ [name]: fields });
  const small = { dtype: "U8", shape: [1], data_offsets: [0, 1] };
  test.each<[what: string, header: string]>([
    ["a name whose type is unknown", at(evil, { ...small, dtype: "Q7" })],
    ["a name whose type is not supported", at(evil, { ...small, dtype: "F4" })],
    ["a name without a shape", at(evil, { ...small, shape: "x" })],
    ["a name without a place", at(evil, { ...small, data_offsets: [] })],
    ["a name with a place of another size", at(evil, { ...small, data_offsets: [0, 3] })],
    ["a name behind a hole", at(evil, { ...small, data_offsets: [2, 3] })],
    ["a name behind the file's end", at(evil, { ...small, shape: [9], data_offsets: [0, 9] })],
    ["an entry that is no object", `{${JSON.stringify(evil)}:1}`],
    ["metadata", at("__metadata__", { [evil]: 1 })],
    ["a key that comes twice", `{${JSON.stringify(evil)}:1,${JSON.stringify(evil)}:1}`],
  ])("%s", (_, header) => {
    expect(() => readSafetensors(fileOf(header, 1), "a\u0007.safetensors")).toThrow(
      expect.objectContaining({
        name: "CheckpointError",
        message: expect.stringMatching(/^a\\u\{7\}\.safetensors [ -~]*\\u\{9b\}[ -~]*$/),
      }),
    );
  });
});

test("metadata of null are none", () => {
  const file = fileOf(`{"__metadata__":null,"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8);

  const { tensors, metadata } = readSafetensors(file, "f");

  expect(metadata.size).toBe(0);
  expect([...tensors.keys()]).toEqual(["w"]);
});

test.each([
  ["F4", 1],
  ["F6_E2M3", 3],
  ["F6_E3M2", 3],
  ["F8_E4M3", 4],
  ["F8_E4M3FNUZ", 4],
  ["F8_E5M2", 4],
  ["F8_E5M2FNUZ", 4],
  ["F8_E8M0", 4],
  ["C64", 32],
])("%s is named as not supported, with the array that has it", (dtype, size) => {
  const file = fileOf(entry({ dtype, shape: [4], data_offsets: [0, size] }), size);

  expect(() => readSafetensors(file, "model.safetensors")).toThrow(
    expect.objectContaining({
      name: "CheckpointError",
      code: "UNSUPPORTED_TYPE",
      message: expect.stringMatching(
        new RegExp(`^model\\.safetensors holds "w" as ${dtype}, .*not supported`),
      ),
    }),
  );
});

test("a name like __proto__ is an ordinary name", () => {
  const file = fileOf(`{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1);

  expect([...readSafetensors(file, "f").tensors.keys()]).toEqual(["__proto__"]);
});

test("a mutated header is read or refused, whatever its pieces say, and from a Buffer too", () => {
  const signs = ["{", "}", "[", "]", ":", ",", '"', "\\", " ", "\u0000", "\ud800"];
  const values = ["null", "-1", "1e400", "\\u0061", "[0,8]", "[8]", '"F8_E4M3"', '"I64"'];
  const keys = ['"a"', '"__metadata__"', '"dtype"', '"shape"', '"data_offsets"'];
  const piece = fc.constantFrom(...signs, ...values, ...keys);
  const cut = fc.record({
    at: fc.nat(),
    removed: fc.constantFrom(0, 1, 5, 40),
    pieces: fc.array(piece, { maxLength: 4 }),
  });
  const header = `{"__metadata__":{"a":"1"},"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"I64","shape":[1],"data_offsets":[2,10]}}`;
  let read = 0;
  fc.assert(
    fc.property(fc.array(cut, { minLength: 1, maxLength: 3 }), fc.nat(7), (cuts, shift) => {
      const text = cuts.reduce((before, { at, removed, pieces }) => {
        const place = at % (before.length + 1);
        return before.slice(0, place) + pieces.join("") + before.slice(place + removed);
      }, header);
      const file = fileOf(text, 10);
      const place = Buffer.alloc(shift + file.length).subarray(shift);
      place.set(file);

      try {
        const { tensors } = readSafetensors(place, "f");
        for (const { data, shape } of tensors.values())
          expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
        read++;
      } catch (error) {
        expect((error as CheckpointError).code).toMatch(/^(?:DAMAGED|UNSUPPORTED_TYPE)$/);
      }
    }),
    { numRuns: 3000 * inject("soak") },
  );
  expect(read).toBeGreaterThan(0); // some changes are harmless: the test has seen both
});

test("a file in pieces of any size holds what it holds as a whole, whatever its arrays straddle", () => {
  fc.assert(
    fc.property(anyFile, fc.integer({ min: 1, max: 300 }), (entries, pieceBytes) => {
      const whole = writeSafetensors(new Map(entries), { a: "b" });
      const written = safetensorsPieces(new Map(entries), { a: "b" }, pieceBytes);
      const read = readSafetensors([...pieces(whole, pieceBytes)], "f");

      expect(written.every(({ length }) => length <= pieceBytes)).toBe(true);
      expect(Buffer.concat(written).equals(whole)).toBe(true);
      expect(read).toEqual(readSafetensors(whole, "f"));
    }),
  );
});

test("a file of no piece, and one whose pieces end too early, are refused as a whole would be", () => {
  const whole = writeSafetensors(new Map([["w", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }]]));

  expect(() => readSafetensors([], "f")).toThrow("it has 0 bytes");
  expect(() => readSafetensors([...pieces(whole, 3)].slice(0, -1), "f")).toThrow("behind the file's end");
});

test("a mutated file is read or refused with DAMAGED, and nothing else happens", () => {
  const mutation = fc.tuple(
    anyFile,
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    fc.nat(),
  );
  fc.assert(
    fc.property(mutation, ([entries, changes, cut]) => {
      const file = writeSafetensors(new Map(entries));
      for (const [at, value] of changes) file[at % file.length] = value;
      const end = cut % 2 === 0 ? file.length : cut % file.length;

      try {
        readSafetensors(file.subarray(0, end), "f");
      } catch (error) {
        expect(error).toMatchObject({ code: "DAMAGED" });
      }
    }),
    { numRuns: 2000 * inject("soak") },
  );
});
