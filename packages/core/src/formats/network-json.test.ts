import fc from "fast-check";
import { expect, test } from "vitest";
import { CheckpointError } from "../errors.ts";
import {
  concat,
  conv2d,
  dropout,
  flatten,
  linear,
  maxPool2d,
  network,
  relu,
  residual,
  sequential,
} from "../network/network.ts";
import { networkFromJson, networkToJson } from "./network-json.ts";

const everything = network(
  [9, 9, 2],
  conv2d(4, 3, { padding: 1, name: "stem" }),
  relu(),
  residual(sequential(conv2d(4, 3, { padding: 1, bias: false }), relu())),
  maxPool2d(3, { stride: 2 }),
  concat(conv2d(3, 1), sequential()),
  flatten(),
  dropout(0.25),
  linear(5),
);

const stored = (): unknown => JSON.parse(JSON.stringify(networkToJson(everything)));

test("a network with every kind of layer is the same network after JSON", () => {
  expect(networkFromJson(stored(), "f")).toEqual(everything);
});

const lies: readonly (readonly [lie: string, path: readonly (string | number)[], value: unknown])[] = [
  ["another format", ["format"], "milliner-checkpoint"],
  ["another version", ["version"], 2],
  ["an input of size 0", ["inputShape", 0], 0],
  ["an input of text", ["inputShape"], "9"],
  ["nodes that are no list", ["nodes"], {}],
  ["a node that is null", ["nodes", 0], null],
  ["a name twice", ["nodes", 1, "name"], "stem"],
  ["a name with a slash", ["nodes", 0, "name"], "../stem"],
  ["a kind from the prototype", ["nodes", 0, "layer", "kind"], "constructor"],
  ["a fractional width", ["nodes", 0, "layer", "outputs"], 2.5],
  ["a width that does not fit what follows", ["nodes", 0, "layer", "outputs"], 5],
  ["a kernel of 0", ["nodes", 0, "layer", "kernel"], [0, 3]],
  ["a kernel of three sizes", ["nodes", 0, "layer", "kernel"], [3, 3, 3]],
  ["a kernel larger than the image", ["nodes", 0, "layer", "kernel"], [99, 99]],
  ["a missing field", ["nodes", 0, "layer", "bias"], undefined],
  ["an input that comes later", ["nodes", 0, "inputs"], ["relu1"]],
  ["no input", ["nodes", 0, "inputs"], []],
  ["two inputs of a layer with one", ["nodes", 1, "inputs"], ["stem", "stem"]],
  ["an output that is not there", ["output"], "nowhere"],
];

test.each(lies)("refuses %s", (_, path, value) => {
  const json = stored();
  let at = json as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1)!] = value;

  expect(() => networkFromJson(json, "net.json")).toThrow(
    expect.objectContaining({ code: "DAMAGED", message: expect.stringContaining("net.json") }),
  );
});

test("any JSON is a network or refused with a CheckpointError", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(8), (value, node) => {
      const json = stored() as { nodes: Record<string, unknown>[] };
      json.nodes[node]!["layer"] = value;

      for (const candidate of [json, value]) {
        try {
          networkFromJson(candidate, "f");
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }
    }),
  );
});
