import { describe, expect, test } from "vitest";
import { isMet, rowOf } from "./row.ts";

const measurement = { case: "a product", threads: 1, least: null, target: null } as const;

describe("rowOf", () => {
  test("the ratio says how many times ours the peer takes, paired by round", () => {
    const row = rowOf({ ...measurement, ours: [1, 2, 4], peers: [{ name: "peer", values: [3, 6, 8] }] });

    expect(row).toMatchObject({ ours: 2, peer: 6, peerName: "peer", ratio: 3, ratioOfMinima: 3 });
  });

  test("the row is about the peer with the best median", () => {
    const peers = [
      { name: "often fast", values: [5, 5, 90] },
      { name: "once fast", values: [1, 9, 9] },
    ];

    expect(rowOf({ ...measurement, ours: [1, 1, 1], peers }).peerName).toBe("often fast");
  });

  test("the share is of the least that the work can take, and the limit is the ratio that this would give", () => {
    const row = rowOf({ ...measurement, ours: [4], peers: [{ name: "peer", values: [10] }], least: 2 });

    expect(row).toMatchObject({ share: 0.5, limit: 5 });
  });

  test("without a peer there is no ratio, and a target that needs one is not decided", () => {
    const row = rowOf({ ...measurement, ours: [1], peers: [], target: { ratio: { atLeast: 2 } } });

    expect(row).toMatchObject({ peer: null, ratio: null, met: null });
  });
});

describe("isMet", () => {
  test.each([
    [{ ratio: { atLeast: 2 } }, 2, null, true],
    [{ ratio: { atLeast: 2 } }, 1.9, null, false],
    [{ share: { atMost: 0.03 } }, null, 0.04, false],
    [{ ratio: { atLeast: 0.95, atMost: 1.05 } }, 1.1, null, false],
    [{ ratio: { atLeast: 1 }, share: { atLeast: 0.85 } }, 2, 0.8, false],
    // One figure that fails decides, whatever is missing.
    [{ ratio: { atLeast: 1 }, share: { atLeast: 0.85 } }, null, 0.8, false],
    [{ ratio: { atLeast: 1 }, share: { atLeast: 0.85 } }, null, 0.9, null],
  ])("%j of ratio %d and share %d is %s", (target, ratio, share, expected) => {
    expect(isMet(target, { ratio, share })).toBe(expected);
  });
});
