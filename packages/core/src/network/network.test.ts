import { expect, test } from "vitest";
import { ConfigError, ShapeError } from "../errors.ts";
import { channelSpaces, edgeWidth } from "./channel-spaces.ts";
import {
  concat,
  conv2d,
  dropout,
  extend,
  flatten,
  linear,
  maxPool2d,
  network,
  outputShape,
  relu,
  residual,
  sequential,
} from "./network.ts";

const convolutional = network(
  [32, 32, 3],
  conv2d(64, 4),
  relu(),
  dropout(0.2),
  maxPool2d(2),
  conv2d(128, 3),
  relu(),
  maxPool2d(2),
  flatten(),
  linear(256),
  relu(),
);

test("building a network infers every shape", () => {
  expect(convolutional.nodes.map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
    "conv1 29x29x64",
    "relu1 29x29x64",
    "dropout1 29x29x64",
    "pool1 14x14x64",
    "conv2 12x12x128",
    "relu2 12x12x128",
    "pool2 6x6x128",
    "flatten1 4608",
    "fc1 256",
    "relu3 256",
  ]);
});

test("padding and stride give PyTorch's output size", () => {
  const strided = network([7, 9, 1], conv2d(2, [3, 5], { stride: [2, 3], padding: [1, 2] }));

  expect(outputShape(strided)).toEqual([4, 3, 2]);
});

test("a linear layer on images says that flatten is missing", () => {
  expect(() => network([28, 28, 1], linear(10, { name: "fc1" }))).toThrow(ShapeError);
  expect(() => network([28, 28, 1], linear(10, { name: "fc1" }))).toThrow(
    'linear "fc1" expects [n, features] but got [n, 28, 28, 1]; put flatten() before it',
  );
});

test("sizes and names that make no sense are refused", () => {
  expect(() => network([4], linear(0))).toThrow(ConfigError);
  expect(() => network([4], dropout(1))).toThrow(ConfigError);
  expect(() => network([4], linear(3, { name: "a" }), linear(3, { name: "a" }))).toThrow(
    /two layers are called "a"/,
  );
  expect(() => network([4, 4, 1], conv2d(2, 5))).toThrow(ShapeError);
  expect(() => network([4], residual(linear(3)))).toThrow(/residual block adds/);
});

test("extending a body with a head keeps the body's names", () => {
  const whole = extend(convolutional, linear(10, { name: "heads.3" }));

  expect(whole.nodes.slice(0, -1)).toEqual(convolutional.nodes);
  expect(whole.output).toBe("heads.3");
  expect(outputShape(whole)).toEqual([10]);
});

test("products open channel spaces, elementwise layers and pooling keep them, flatten repeats them", () => {
  const spaces = channelSpaces(convolutional);

  expect(spaces.spaces).toEqual([
    { name: "input", units: 3 },
    { name: "conv1", units: 64 },
    { name: "conv2", units: 128 },
    { name: "fc1", units: 256 },
  ]);
  expect(spaces.edge("pool1").pieces).toEqual([{ spaces: [{ name: "conv1", units: 64 }], positions: 1 }]);
  expect(spaces.edge("flatten1").pieces).toEqual([
    { spaces: [{ name: "conv2", units: 128 }], positions: 36 },
  ]);
});

test("a gate is applied where the values leave the layers that keep its units", () => {
  const { gatePoints } = channelSpaces(extend(convolutional, linear(10, { name: "heads.0" })));

  expect([...gatePoints].map(([node, { name }]) => `${node}: ${name}`)).toEqual([
    "pool1: conv1",
    "pool2: conv2",
    "relu3: fc1",
    "heads.0: heads.0",
  ]);
});

test("a residual sum unites the spaces of its branches, whichever came first", () => {
  const block = residual(sequential(conv2d(8, 3, { padding: 1 }), relu(), conv2d(8, 3, { padding: 1 })));
  const spaces = channelSpaces(network([8, 8, 3], conv2d(8, 1), relu(), block, relu()));

  expect(spaces.spaces.map(({ name }) => name)).toEqual(["input", "conv1", "conv2"]);
  expect(spaces.edge("conv3").pieces[0]!.spaces[0]!.name).toBe("conv1");
  expect(spaces.edge("add1").pieces[0]!.spaces[0]!.name).toBe("conv1");
});

test("concat joins spaces in order, and flatten runs over all of them", () => {
  const spaces = channelSpaces(network([4, 4, 1], concat(conv2d(2, 1), conv2d(3, 1)), flatten()));

  expect(spaces.edge("flatten1").pieces).toEqual([
    {
      spaces: [
        { name: "conv1", units: 2 },
        { name: "conv2", units: 3 },
      ],
      positions: 16,
    },
  ]);
});

test("edges that were flattened apart keep their own positions when they are joined", () => {
  const apart = network(
    [6, 6, 1],
    concat(
      sequential(conv2d(2, 3), relu(), flatten()),
      sequential(conv2d(3, 5), flatten()),
      flatten(),
      sequential(flatten(), linear(4)),
      sequential(flatten(), linear(5)),
    ),
    relu(),
  );
  const spaces = channelSpaces(apart);

  expect(spaces.edge("relu2").pieces).toEqual([
    { spaces: [{ name: "conv1", units: 2 }], positions: 16 },
    { spaces: [{ name: "conv2", units: 3 }], positions: 4 },
    { spaces: [{ name: "input", units: 1 }], positions: 36 },
    {
      spaces: [
        { name: "fc1", units: 4 },
        { name: "fc2", units: 5 },
      ],
      positions: 1,
    },
  ]);
  expect(edgeWidth(spaces.edge("relu2"))).toBe(outputShape(apart)[0]);
});

test("what has been gated before it was joined is not gated again behind", () => {
  const { gatePoints } = channelSpaces(network([3, 3, 1], concat(conv2d(2, 1)), relu(), flatten(), relu()));

  expect([...gatePoints.keys()]).toEqual(["conv1"]);
});

test("sums unite what is laid out alike, however it came about, and refuse the rest", () => {
  // Two pixels of conv1's unit, against twice conv2's: the same four elements.
  const pixels = sequential(conv2d(2, 1), flatten());
  const twice = sequential(flatten(), linear(2));
  const summed = network([2, 1, 1], residual(pixels, sequential(twice, concat(sequential(), sequential()))));

  expect(channelSpaces(summed).edge("add1").pieces).toEqual([
    { spaces: [{ name: "conv1", units: 2 }], positions: 2 },
  ]);
  expect(channelSpaces(summed).spaces.map(({ name }) => name)).toEqual(["input", "conv1"]);
  expect(() => channelSpaces(network([2, 1, 1], residual(pixels, sequential(flatten(), linear(4)))))).toThrow(
    /"add1" adds conv1 \(2 x 2\) and fc1 \(4\): .* put a conv2d\(n, 1\) or a linear\(n\) behind what is joined/,
  );
  const parts = (a: number, b: number) => concat(linear(a), linear(b));
  expect(() => channelSpaces(network([4], residual(parts(2, 3), parts(3, 2))))).toThrow(
    expect.objectContaining({ code: "MIXED_UNITS" }),
  );
});
