import { expect, test } from "vitest";
import { nearest, suggestion } from "./nearest.ts";

const names = ["epochs", "batchSize", "lr", "lrFactor", "sMax", "protection"];

test.each([
  ["epchs", "epochs"],
  ["batch_size", "batchSize"],
  ["batchsize", "batchSize"],
  ["proetction", "protection"],
  ["Smax", "sMax"],
])("%s is nearest to %s", (word, name) => {
  expect(nearest(word, names)).toBe(name);
});

test("a word that resembles nothing has no nearest name, and the names are listed", () => {
  expect(nearest("temperature", names)).toBeNull();
  expect(suggestion("temperature", names)).toBe(`; there are ${names.join(", ")}`);
});
