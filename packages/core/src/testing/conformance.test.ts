import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import type { Backend, Kernels } from "../backend/backend.ts";
import { isTypedArray } from "../typed-array.ts";
import { conformanceCases } from "./conformance.ts";

describe.each(availableBackends())("the backend $name", (backend) => {
  test.each(conformanceCases(backend))("$name", ({ check }) => check());
});

// Names of the cases that do not hold with these kernels, among those whose name matches `words`.
function failing(kernels: Partial<Kernels>, words: string | RegExp): string[] {
  const backend: Backend = { ...referenceBackend, kernels: { ...referenceBackend.kernels, ...kernels } };
  return conformanceCases(backend).flatMap(({ name, check }) => {
    if (name.search(words) < 0) return [];
    try {
      check();
      return [];
    } catch {
      return [name];
    }
  });
}

test("every kernel is covered: one that writes nothing fails a case", () => {
  for (const name of Object.keys(referenceBackend.kernels)) {
    expect(failing({ [name]: () => undefined }, name), `${name} does nothing`).not.toEqual([]);
  }
});

test("every kernel of floats is fed: one that takes what is not finite for 0 fails a case", () => {
  const { kernels } = referenceBackend;
  for (const name of Object.keys(kernels) as (keyof Kernels)[]) {
    if (name === "gatherBits" || name === "randomBits") continue; // of words
    const swallowing = (...args: unknown[]): unknown => {
      for (const array of args) {
        if (!isTypedArray(array, "Float32Array")) continue;
        array.forEach((value, i) => {
          if (!Number.isFinite(value)) array[i] = 0;
        });
      }
      return (kernels[name] as (...all: unknown[]) => unknown)(...args);
    };

    const found = failing({ [name]: swallowing }, new RegExp(`\\b${name}\\b.*(NaN|not finite)`, "u"));

    expect(found, `${name} swallows`).not.toEqual([]);
  }
});

test("a gate that multiplies, a lock that is a factor of 0 and an error of 2^-20 are found", () => {
  const { kernels } = referenceBackend;

  const multiplyingGate = failing(
    {
      gateApply: (h, gate, y, rows, units) => {
        for (let i = 0; i < rows * units; i++) y[i] = h[i]! * gate[i % units]!;
      },
    },
    "gateApply",
  );
  const lockAsFactor = failing(
    {
      sgd: (w, g, lr, locks, rows, columns) => {
        const words = Math.ceil(columns / 32);
        w.forEach((value, i) => {
          const [row, column] = [Math.floor(i / columns), i % columns];
          const locked =
            locks !== null && ((locks[row * words + (column >> 5)]! >>> (column & 31)) & 1) === 1;
          w[i] = value - lr * g[i]! * (locked ? 0 : 1);
        });
      },
    },
    "sgd",
  );
  const inexact = failing(
    {
      maxPool2dBackward: (dy, argmax, dx, geometry) => {
        kernels.maxPool2dBackward(dy, argmax, dx, geometry);
        for (let i = 0; i < dx.length; i++) dx[i] = dx[i]! * (1 + 2 ** -20);
      },
    },
    "maxPool2d",
  );

  expect(multiplyingGate.join()).toContain("gateApply multiplies");
  expect(lockAsFactor.join()).toContain("sgd never writes a locked element");
  expect(inexact.join()).toContain("maxPool2dBackward adds");
});

test("an exact backend is held to bits: the reference, whose sums are double, does not pass as one", () => {
  const cases = conformanceCases({ ...referenceBackend, exact: true });
  const product = cases.find(({ name }) => name.includes("linearForward is the product"))!;

  expect(product.check).toThrow("by the single-chain rule");
});
