import { expect, test } from "vitest";
import { counted } from "./counted.ts";
import { deviceText } from "./device.ts";

test.each([
  [0, "0 epochs"],
  [1, "1 epoch"],
  [12, "12 epochs"],
])("%i is counted as %j", (count, text) => {
  expect(counted(count, "epoch")).toBe(text);
});

test("a single thread is not threads", () => {
  expect(deviceText({ device: "cpu", isa: "avx2", threads: 1, precision: "float32" })).toBe(
    "cpu (avx2, 1 thread)",
  );
});
