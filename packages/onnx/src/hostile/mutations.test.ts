import fc from "fast-check";
import { describe, expect, inject, test } from "vitest";
import {
  concat,
  conv2d,
  flatten,
  initialise,
  linear,
  network,
  referenceBackend as backend,
  relu,
  residual,
  type Transform,
} from "@milliner/core";
import { exportNetwork } from "../export.ts";
import { inspectModel, type ModelSummary } from "../inspect.ts";
import { MessageWriter } from "../message-writer.ts";
import { OnnxError } from "../onnx-error.ts";

const whole = network([4, 4, 2], concat(conv2d(2, 1), residual(conv2d(2, 1))), relu(), flatten(), linear(3));
const exported = (transform: Transform | "none"): Uint8Array =>
  exportNetwork(whole, initialise(whole, { backend, seed: 1 }), {
    classes: ["a", "b", "c"],
    task: "t",
    transform,
    metadata: { key: "value" },
  });

/** Each with the number of its entries of metadata, which stand at the end of the file. */
const models: readonly (readonly [name: string, file: Uint8Array, metadata: number])[] = [
  ["of floats", exported("none"), 6],
  [
    "of bytes with tables", // uint8 input, the order of the pixels and a table of every value a byte can have
    exported([
      { kind: "permute", permutation: Array.from({ length: 16 }, (_, i) => 15 - i) },
      { kind: "normalise", mean: [0.5, 0.25], std: [1, 2] },
    ]),
    8,
  ],
];

/** Reads a file that may be anything. An error that is no OnnxError goes through, and fails the test. */
function inspected(bytes: Uint8Array): ModelSummary | "refused" {
  try {
    return inspectModel(bytes, "mutant");
  } catch (error) {
    if (error instanceof OnnxError) return "refused";
    throw error;
  }
}

/** What a summary may at most say of a file of so many bytes; more would be memory that the file did not pay for. */
function expectBounded(summary: ModelSummary | "refused", bytes: number): void {
  if (summary === "refused") return;
  const texts = [...summary.metadata].flat().join("").length + [...summary.operations.keys()].join("").length;
  expect(texts).toBeLessThanOrEqual(bytes);
  expect(summary.nodes).toBeLessThanOrEqual(bytes);
  expect(summary.inputs.length + summary.outputs.length + summary.externalData.length).toBeLessThanOrEqual(
    bytes,
  );
}

describe.each(models)("a model %s", (_, file, metadata) => {
  test("a file cut short anywhere is refused, but where a whole field ends", () => {
    const accepted: number[] = [];
    for (let length = 0; length < file.length; length++) {
      if (inspected(file.subarray(0, length)) !== "refused") accepted.push(length);
    }

    // Behind the graph, behind the opset, and behind each entry of metadata but the last.
    expect(accepted.length).toBe(1 + 1 + metadata - 1);
  });

  test("bytes turned into others never do more than be refused", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat({ max: file.length - 1 }), byte: fc.nat({ max: 255 }) }), {
          minLength: 1,
          maxLength: 8,
        }),
        (changes) => {
          const mutant = file.slice();
          for (const { at, byte } of changes) mutant[at] = byte;

          expectBounded(inspected(mutant), mutant.length);
        },
      ),
      { numRuns: 3000 * inject("soak") },
    );
  });

  test("each byte in turn with each of its bits turned never does more than be refused", () => {
    const mutant = file.slice();
    for (let at = 0; at < mutant.length; at++) {
      const byte = mutant[at]!;
      for (let bit = 0; bit < 8; bit++) {
        mutant[at] = byte ^ (1 << bit);
        expectBounded(inspected(mutant), mutant.length);
      }
      mutant[at] = byte;
    }
  });

  test("pieces taken out, doubled or put elsewhere never do more than be refused", () => {
    const place = fc.nat({ max: file.length });
    fc.assert(
      fc.property(place, place, place, (a, b, to) => {
        const piece = file.subarray(Math.min(a, b), Math.max(a, b));
        const mutant = Uint8Array.from([...file.subarray(0, to), ...piece, ...file.subarray(Math.max(a, b))]);

        expectBounded(inspected(mutant), mutant.length);
      }),
      { numRuns: 1000 * inject("soak") },
    );
  });
});

test("random bytes never do more than be refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expectBounded(inspected(bytes), bytes.length);
    }),
    { numRuns: 3000 * inject("soak") },
  );
});

test("weights are looked at where they lie: a model of 64 MiB takes no memory beside it", () => {
  const values = new Uint8Array(2 ** 26);
  const tensor = new MessageWriter()
    .integer(1, 2 ** 24)
    .integer(2, 1)
    .bytes(9, values);
  const bytes = new MessageWriter().integer(1, 8).message(7, new MessageWriter().message(5, tensor)).finish();
  const before = process.memoryUsage().arrayBuffers;

  const summary = inspectModel(bytes, "large");

  expect(summary.parameters).toBe(2 ** 24);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});
