import { expect, test } from "vitest";
import { kernelRows, type KernelCase } from "./kernel-cases.ts";

function kernelCase(name: string, ours: number, peer: number, others: Partial<KernelCase> = {}): KernelCase {
  return {
    case: name,
    flops: 1e9,
    candidates: [
      { name: "ours", seconds: [ours, ours] },
      { name: "OpenBLAS", seconds: [peer, peer] },
      { name: "oneDNN", seconds: [2 * peer, 2 * peer] },
    ],
    peaks: [50e9, 100e9],
    reads: [],
    ...others,
  };
}

test("a product's share is of the largest peak of the run", () => {
  const [row] = kernelRows([kernelCase("forward 64x784x2000", 0.02, 0.03)], 1, true);

  expect(row).toMatchObject({ ours: 20, peer: 30, peerName: "OpenBLAS", ratio: 1.5, share: 0.5, met: false });
});

test("where the weights' bandwidth is the roof, the share is of the time to read them", () => {
  const [row] = kernelRows(
    [kernelCase("forward 1x2000x2000", 0.02, 0.03, { reads: [0.018, 0.018] })],
    1,
    true,
  );

  expect(row!.share).toBeCloseTo(0.9);
  expect(row!.met).toBe(true);
});

test("the sum of a step takes the best peer of each product", () => {
  const names = [
    "forward 64x784x2000",
    "forward 64x2000x2000",
    "dX 64x2000x2000",
    "dW with SGD 64x784x2000",
    "dW with SGD 64x2000x2000",
  ];

  const rows = kernelRows(
    names.map((name) => kernelCase(name, 0.01, 0.02)),
    1,
    true,
  );

  expect(rows.at(-1)).toMatchObject({ ours: 50, peer: 100, ratio: 2, share: 1, met: true });
});

test("what a second thread brings is told only where it had a core of its own", () => {
  const two = kernelCase("dX 64x2000x2000", 0.01, 0.02);
  const candidates = [
    two.candidates[0]!,
    { name: "ours on one thread", seconds: [0.019, 0.019] },
    ...two.candidates.slice(1),
  ];

  const scaling = (isQuiet: boolean): readonly (number | null)[] =>
    kernelRows([{ ...two, candidates }], 2, isQuiet)
      .filter((row) => row.case.startsWith("2 threads over one"))
      .map(({ ratio }) => ratio);

  expect(scaling(true)).toEqual([1.9]);
  expect(scaling(false)).toEqual([]);
});
