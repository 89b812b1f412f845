import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { writeSafetensors } from "@milliner/core";
import { writeIdx } from "@milliner/data";
import { afterAll, describe, expect, test } from "vitest";
import { main } from "../main.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner inspect "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function inspect(name: string, content: string | Uint8Array): Promise<[number, string, string]> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const [results, notes]: [string[], string[]] = [[], []];
  const status = await main(["inspect", path], {
    result: (text) => void results.push(text),
    note: (text) => void notes.push(text),
    json: () => undefined,
    isTerminal: false,
    columns: () => 80,
  });
  return [status, results.join(""), notes.join("").replace(path, name)];
}

const tensors = writeSafetensors(
  new Map([["fc.weight", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }]]),
);
const model = Uint8Array.of(0x08, 8, 0x3a, 0); // version 8 of the format, and a graph of nothing

describe("another kind of file is called by its name, with what to do", () => {
  const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 26421880\n";
  test.each<[name: string, content: string | Uint8Array, what: string, advice: string]>([
    ["pointer.onnx", lfs, "a Git LFS pointer", "`git lfs pull`"],
    ["pointer.safetensors", lfs, "a Git LFS pointer", "`git lfs pull`"],
    ["page.onnx", "<!DOCTYPE html>\n<html><title>model.onnx at main</title>", "a web page", "raw file"],
    ["page.safetensors", "<html><body>Not Found</body></html>", "a web page", "raw file"],
    ["error.onnx", '{"message":"Not Found","status":"404"}', "the error message of a server", "raw file"],
    ["notes.onnx", "A model of hats.\n", "plain text", "a run's folder"],
    ["empty.onnx", "", "an empty file", "get it again"],
    ["empty.safetensors", "", "an empty file", "get it again"],
    ["model.onnx.gz", gzipSync(model), "a gzip file", "unpack it"],
    ["model.zip", "PK\x03\x04" + "\0".repeat(22) + "\x0a\0\0\0model.onnx", "a zip archive", "unpack it"],
    ["model.pt", "PK\x03\x04" + "\0".repeat(22) + "\x0c\0\0\0hat/data.pkl", "a PyTorch checkpoint", "ONNX"],
    ["weights.npz", "PK\x03\x04" + "\0".repeat(22) + "\x09\0\0\0arr_0.npy", "NumPy arrays", "ONNX"],
    ["model.pkl", Uint8Array.of(0x80, 4, 0x95, 0), "a Python pickle", "ONNX"],
    ["hat.png", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), "an image (PNG)", "ONNX"],
    ["hat.jpg", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), "an image (JPEG)", "ONNX"],
    ["model.tflite", "\x1c\0\0\0TFL3", "a TensorFlow Lite model", "ONNX"],
    ["model.h5", Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10), "an HDF5 file", "ONNX"],
    ["labels", writeIdx({ shape: [2], data: Uint8Array.of(0, 1) }), "an IDX file", "ONNX"],
  ])("%s", async (name, content, what, advice) => {
    const [status, result, note] = await inspect(name, content);

    expect([status, result]).toEqual([2, ""]);
    expect(note).toMatch(/^error: [^\n]+\n$/);
    expect(note.startsWith(`error: ${name} is `), note).toBe(true);
    expect(note).toContain(what);
    expect(note).toContain(advice);
    expect(note).not.toContain("made to harm");
  });
});

test.each(["hat.safetensors", "hat.onnx", "hat"])(
  "tensors in a file called %s are read as that",
  async (name) => {
    const [status, result] = await inspect(name, tensors);

    expect(status).toBe(0);
    expect(result).toMatch(/1 tensor, .*\n\nfc\.weight +F32 +\[2\]/);
  },
);

test.each(["hat.onnx", "hat.safetensors", "hat"])(
  "a model in a file called %s is read as that",
  async (name) => {
    const [status, result] = await inspect(name, model);

    expect(status).toBe(0);
    expect(result).toContain("ONNX, opset none, IR 8");
  },
);

/** A field of ONNX whose payload is text or a message, of less than 128 bytes. */
const field = (number: number, ...payload: readonly (number | string | readonly number[])[]): number[] => {
  const bytes = payload.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part)] : part));
  return [8 * number + 2, bytes.length, ...bytes];
};

/** A float32 of two elements in another file. */
const external = (name: string, ...entries: readonly (readonly [string, string])[]): number[] =>
  field(
    5,
    [8, 2, 16, 1],
    field(8, name),
    ...entries.map(([key, value]) => field(13, field(1, key), field(2, value))),
    [8 * 14, 1],
  );

test("a model's data in other files is listed by tensor, with where it begins and how long it is", async () => {
  const first = external("w", ["location", "weights.bin"], ["offset", "4096"], ["length", "8"]);
  const second = external("a much longer name", ["location", "../other.bin"]);
  const file = Uint8Array.from([8, 8, ...field(7, first), ...field(14, field(1, "k"), field(2, "v"))]);
  const both = Uint8Array.from([8, 8, 0x3a, first.length + second.length, ...first, ...second]);

  const [status, one] = await inspect("external.onnx", file);
  const [, two] = await inspect("externals.onnx", both);

  expect(status).toBe(0);
  expect(one).toContain(
    "\nk = v\n\nexternal data of 1 tensor, not opened:\n\nw  weights.bin  from 4096  8 bytes\n",
  );
  expect(two.slice(two.indexOf("external data"))).toBe(
    [
      "external data of 2 tensors, not opened:\n",
      "w                    weights.bin  from 4096     8 bytes",
      "a much longer name  ../other.bin     from 0  to its end  outside of the model's folder\n",
    ].join("\n"),
  );
});

test("numbers in Constant nodes are told beside the weights, and long names are clipped", async () => {
  const constant = field(1, field(4, "Constant"), field(5, field(7, [...Buffer.alloc(12)])));
  const input = [0x5a, 0x86, 0x01, 0x0a, 0x83, 0x01, ...Buffer.from("a".repeat(131))];
  const graph = [...constant, ...input];

  const [, said] = await inspect(
    "constant.onnx",
    Uint8Array.from([8, 8, 0x3a, (graph.length & 127) | 128, graph.length >> 7, ...graph]),
  );

  expect(said).toContain("\nweights  0, and 3 numbers in Constant nodes\n");
  expect(said).toContain(`\ninput    ${"a".repeat(117)}...: unknown [...]\n`);
});

test.each([
  [
    "hat.onnx",
    Uint8Array.of(0x08, 8, 0x3a, 9, 1),
    "at byte 4 promises 9 bytes where its message has 1 left: the file ends early, or is damaged; fetch it again",
  ],
  ["hat.safetensors", tensors.subarray(0, -1), "is no sound safetensors file"],
  ["noise.onnx", Uint8Array.of(0xde, 0xad, 0xbe, 0xef), "it is damaged, or made to harm"],
  ["noise.safetensors", Uint8Array.of(0xde, 0xad, 0xbe, 0xef), "is no sound safetensors file"],
])("%s that is damaged is refused by the reader of its kind", async (name, content, what) => {
  const [status, , note] = await inspect(name, content);

  expect(status).toBe(2);
  expect(note).toContain(what);
});
