import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
// README's example begins.
import {
  flatten,
  forward,
  initialise,
  linear,
  network,
  relu,
  selectBackend,
  Stream,
  tensor,
} from "@milliner/core";
import { exportNetwork, inspectModel, verifyModel } from "./index.ts";

const backend = selectBackend();
const digits = network([28, 28, 1], flatten(), linear(100), relu(), linear(10));
const parameters = initialise(digits, { backend, seed: 1 });

const model = exportNetwork(digits, parameters, { task: "digits", transform: "none" });

const { inputs, metadata } = inspectModel(model, "digits.onnx"); // trusts nothing, opens no other file

const images = new Stream(1, "images").uniform(8 * 28 * 28, 0, 1);
const shape = [8, 28, 28, 1];
const logits = forward(digits, parameters, tensor(images, shape, { backend })).toArray();
const { ok, largestDifference } = await verifyModel(model, [{ images, shape, logits }]);
// README's example ends.

test("README's example does what it says", () => {
  expect(inputs).toEqual([{ name: "x", dtype: "float32", shape: ["batch", 1, 28, 28] }]);
  expect(metadata.get("milliner.task")).toBe("digits");
  expect(ok).toBe(true);
  expect(largestDifference).toBeLessThan(1e-5);
});

test("README's example is the code above", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const source = readFileSync(new URL(import.meta.url), "utf8");

  const example = source
    .split(/^\/\/ README's example (?:begins|ends)\.\n/m)[1]!
    .replace("./index.ts", "@milliner/onnx");

  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
});
