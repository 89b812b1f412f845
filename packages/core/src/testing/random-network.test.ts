import { expect, test } from "vitest";
import { channelSpaces, edgeWidth, type EdgePiece } from "../network/channel-spaces.ts";
import { outputShape } from "../network/network.ts";
import { randomNetwork } from "./random-network.ts";

const networks = Array.from({ length: 500 }, (_, seed) => randomNetwork(seed));

test("every layer kind is drawn, and every way in which an edge can be laid out", () => {
  const kinds = new Set(networks.flatMap(({ nodes }) => nodes.map(({ layer }) => layer.kind)));
  const edges = networks.flatMap((one) => one.nodes.map(({ name }) => channelSpaces(one).edge(name).pieces));
  const some = (is: (pieces: readonly EdgePiece[]) => boolean): number => edges.filter(is).length;

  expect([...kinds].sort()).toEqual([
    "add",
    "concat",
    "conv2d",
    "dropout",
    "flatten",
    "linear",
    "max-pool2d",
    "relu",
  ]);
  // Joined and then flattened; flattened and then joined; both.
  expect(
    some(([piece, other]) => other === undefined && piece!.positions > 1 && piece!.spaces.length > 1),
  ).toBeGreaterThan(10);
  expect(some((pieces) => new Set(pieces.map(({ positions }) => positions)).size > 1)).toBeGreaterThan(10);
  expect(
    some((pieces) => pieces.length > 1 && pieces.some(({ spaces }) => spaces.length > 1)),
  ).toBeGreaterThan(10);
  expect(
    networks.filter(({ nodes }) => nodes.some(({ layer }) => layer.kind === "linear" && layer.outputs > 32))
      .length,
  ).toBeGreaterThan(10);
  expect(networks.some(({ nodes }) => nodes.length === 0)).toBe(true);
});

test("the analysis of units covers exactly the last dimension of every edge", () => {
  for (const one of networks) {
    const spaces = channelSpaces(one);
    for (const { name, shape } of one.nodes) expect(edgeWidth(spaces.edge(name))).toBe(shape.at(-1));
  }
});

test("a seed gives one network, and a body is flat", () => {
  networks.forEach((one, seed) => {
    expect(randomNetwork(seed)).toEqual(one);
    expect(outputShape(one)).toHaveLength(1);
  });
  expect(networks[1]).not.toEqual(networks[2]);
});
