import fc from "fast-check";
import { execFileSync } from "node:child_process";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, inject, test } from "vitest";

import { fileKindBytes, recogniseFile } from "./file-kind.ts";
import { writeIdx } from "./idx.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : part)),
  );

/** The local header of a zip archive's first entry. */
const zip = (name: string): Uint8Array =>
  bytes(
    "PK\x03\x04",
    Array.from({ length: 22 }, () => 0),
    [name.length, 0, 0, 0],
    name,
  );

const lfsPointer = `version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 26421880
`;

const files: readonly (readonly [kind: string, whatItIs: string, file: Uint8Array])[] = [
  ["empty", "no bytes at all", new Uint8Array(0)],
  ["git-lfs", "a pointer of Git LFS", text(lfsPointer)],
  ["web-page", "a page of today", text('\n\n<!DOCTYPE html>\n<html lang="en">\n<head>')],
  ["web-page", "a page of old", text('\ufeff<HTML><BODY BGCOLOR="white">')],
  ["server-error", "an answer of a service in JSON", text('{"message": "Not Found", "status": "404"}')],
  [
    "server-error",
    "an answer of a store in XML",
    text('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'),
  ],
  ["xml", "XML", text('<?xml version="1.0"?><net name="n" version="11">')],
  ["json", "JSON", text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')],
  ["csv", "a table with a head", text("label,1x1,1x2\n5,0,0\n0,12,255\n")],
  [
    "csv",
    "a table whose first line does not end",
    text(Array.from({ length: 784 }, (_, i) => `pixel${i}`).join()),
  ],
  ["csv", "a table with commas in quotes", text('hat,shop\n"top, black",Luton\n"cap",Paris\n')],
  ["csv", "a table whose second line is cut", text("label;1x1;1x2\n5;0")],
  [
    "text",
    "a program of Python",
    text("import numpy as np, os, sys\nfrom torch import nn, optim\n\nprint(nn)\n"),
  ],
  ["text", "notes", text("Images of hats.\nTaken in 1923, mostly.\n")],
  ["text", "notes of one word", text("hats")],
  ["text", "notes that are cut within a character", text("Hüte ".repeat(200)).subarray(0, 2)],
  ["text", "notes of Windows", bytes("\xff\xfeh\0a\0t\0")],
  ["gzip", "gzip", gzipSync(text("hats"))],
  ["bzip2", "bzip2", bytes("BZh91AY&SY\x01")],
  ["zlib", "zlib", deflateSync("hats")],
  ["zstd", "Zstandard", bytes("\x28\xb5\x2f\xfd\x24\x04")],
  // As parallel compressors begin: github.com/tmaklin/bxzstr/issues/31
  [
    "zstd",
    "Zstandard behind a frame to skip",
    bytes("\x50\x2a\x4d\x18\x04\0\0\0\xc9\xb7\0\0\x28\xb5\x2f\xfd"),
  ],
  ["lz4", "LZ4", bytes("\x04\x22\x4d\x18\x64\x40")],
  ["lzma", "what xz was before", bytes("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0")],
  ["lzip", "lzip", bytes("LZIP\x01\x0c")],
  ["compress", "compress of Unix", bytes("\x1f\x9d\x90")],
  [
    "tar",
    "an archive",
    bytes(
      "hats.png",
      Array.from({ length: 249 }, () => 0),
      "ustar\0",
    ),
  ],
  ["zip", "an archive of anything", zip("hats/1.png")],
  ["zip", "an archive of nothing", bytes("PK\x05\x06")],
  ["npz", "arrays of NumPy", zip("arr_0.npy")],
  ["npy", "an array of NumPy", bytes("\x93NUMPY\x01\0v\0")],
  ["pytorch", "a checkpoint", zip("archive/data.pkl")],
  [
    "pytorch",
    "a checkpoint of old",
    bytes([0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
  ],
  ["pickle", "an object of Python", bytes([0x80, 4, 0x95, 0, 0])],
  ["png", "an image", bytes("\x89PNG\r\n\x1a\n\0\0\0\rIHDR")],
  ["bmp", "an image of Windows", bytes("BM\x46\0\0\0\0\0\0\0\x36\0\0\0")],
  ["jpeg", "a photograph", bytes("\xff\xd8\xff\xe0\0\x10JFIF\0")],
  ["hdf5", "a model of Keras", bytes("\x89HDF\r\n\x1a\n\0")],
  ["tflite", "a model of TensorFlow Lite", bytes("\x1c\0\0\0TFL3")],
  ["safetensors", "tensors", bytes([2, 0, 0, 0, 0, 0, 0, 0], "{}")],
  ["onnx", "a model", bytes([0x08, 8, 0x12, 3], "hat")],
  ["idx", "images", writeIdx({ shape: [1, 2, 2], data: new Uint8Array(4) })],
];

describe("what a file is", () => {
  test.each(files)("%s: %s", (kind, _, file) => {
    expect(recogniseFile(file)).toMatchObject({ kind, what: expect.stringMatching(/^\S.*[^.]$/) });
  });

  test("a pointer of Git LFS is cured by its own command", () => {
    expect(recogniseFile(text(lfsPointer))!.advice).toContain("`git lfs pull`");
  });

  test.each([
    ["what begins with BM by chance", [0x42, 0x4d, 0xff, 0xff, 0xff, 0xff, 9, 9, 9, 9]],
    ["noise", [0xde, 0xad, 0xbe, 0xef]],
    ["what is nearly text", [0x68, 0x61, 0x74, 0x07]],
    ["compressed bytes without a header", [...deflateRawSync("hats")]],
  ])("%s is nothing known", (_, file) => {
    expect(recogniseFile(Uint8Array.from(file))).toBeUndefined();
  });

  test("the first bytes are enough, and no bytes make it throw", () => {
    const start = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom(...files.map(([, , file]) => file)), fc.nat(), fc.nat(255), fc.nat(600))
        .map(([file, at, value, length]) =>
          file.length === 0 ? file : file.with(at % file.length, value).subarray(0, length),
        ),
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 9 }), (file, more) => {
        const longer = Buffer.concat([file, new Uint8Array(Math.max(0, fileKindBytes - file.length)), more]);

        expect(recogniseFile(longer)).toEqual(recogniseFile(longer.subarray(0, fileKindBytes)));
        recogniseFile(file);
      }),
      { numRuns: 2000 * inject("soak") },
    );
  });

  test("files that other programs write are what they are", ({ skip }) => {
    const program = `import base64, bz2, io, json, lzma, pickle, tarfile, zipfile
tar, zip = io.BytesIO(), io.BytesIO()
with tarfile.open(fileobj=tar, mode="w") as archive: archive.addfile(tarfile.TarInfo("hats"))
with zipfile.ZipFile(zip, "w") as archive: archive.writestr("hats/1.txt", "bowler")
files = [tar.getvalue(), zip.getvalue(), bz2.compress(b"hats"), lzma.compress(b"hats"), pickle.dumps([1, 2])]
print(json.dumps([base64.b64encode(file).decode() for file in files]))`;
    let written: readonly string[] = [];
    try {
      written = JSON.parse(execFileSync("python3", ["-c", program], { encoding: "utf8" })) as string[];
    } catch {
      skip("python3 is absent");
    }

    expect(written.map((file) => recogniseFile(Buffer.from(file, "base64"))?.kind)).toEqual([
      "tar",
      "zip",
      "bzip2",
      "xz",
      "pickle",
    ]);
  });
});
