import { expect, test } from "vitest";
import { TimeLeft } from "./time-left.ts";

test("the pace is that since the first figure, so a resumed run does not seem infinitely fast", () => {
  let now = 100;
  const left = new TimeLeft(4, () => now);

  left.note(2, 0, 10, 0); // resumed at half
  now += 30;
  const fraction = left.note(3, 0, 10, 0);

  expect(fraction).toBe(0.75);
  expect(left.seconds()).toBeCloseTo(30, 9);
});

test("nothing is said while too little is known", () => {
  let now = 0;
  const left = new TimeLeft(2, () => now);

  expect(left.seconds()).toBeNull();
  left.note(0, 0, 10, 0);
  now = 1;
  left.note(0, 1, 10, 0);

  expect(left.seconds()).toBeNull();
});
