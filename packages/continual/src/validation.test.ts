import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, Stream } from "@milliner/core";
import { splitValidation } from "./validation.ts";

const indices = Uint32Array.from({ length: 41 }, (_, i) => 100 + 3 * i);
const labels = new Uint8Array(300); // all of one class
const stream = (seed = 1): Stream => new Stream(seed, "validation/0");
const sorted = (...parts: Uint32Array[]): number[] =>
  parts.flatMap((part) => [...part]).sort((a, b) => a - b);

test("the two parts are disjoint and together the whole; int(share n) images validate", () => {
  for (const share of [0.05, 0.15, 0.5, 0.99]) {
    const { train, validation } = splitValidation(indices, share, stream(), labels);

    expect(validation).toHaveLength(Math.floor(share * indices.length));
    expect(sorted(train, validation)).toEqual([...indices]);
  }
});

test("the same seed cuts the same way, another one differently", () => {
  const once = splitValidation(indices, 0.15, stream(), labels);

  expect(splitValidation(indices, 0.15, stream(), labels)).toEqual(once);
  expect(splitValidation(indices, 0.15, stream(2), labels).validation).not.toEqual(once.validation);
});

test("with a share of 0 the training images validate themselves, in their order", () => {
  const { train, validation } = splitValidation(indices, 0, stream(), labels);

  expect(train).toEqual(indices);
  expect(validation).toEqual(indices);
});

test.each([-0.1, 1, NaN, Infinity])("a share of %d is refused", (share) => {
  expect(() => splitValidation(indices, share, stream(), labels)).toThrow(ConfigError);
  expect(() => splitValidation(indices, share, stream(), labels)).toThrow(String(share));
});

test("a share that leaves nothing to validate with is refused with the numbers", () => {
  expect(() => splitValidation(indices.subarray(0, 4), 0.2, stream(), labels)).toThrow(
    /0\.2 leaves none of 4 images/,
  );
});

test("the only image of a class trains, and another one validates in its place, whatever is drawn", () => {
  const few = Uint32Array.from({ length: 10 }, (_, i) => i);
  for (let only = 0; only < 10; only++) {
    const ofClasses = few.map((i) => (i === only ? 1 : 0));
    const { train, validation } = splitValidation(few, 0.5, stream(), ofClasses);
    const published = splitValidation(few, 0.5, stream(), new Uint8Array(10));

    expect([...train]).toContain(only);
    expect(validation).toHaveLength(5);
    expect(sorted(train, validation)).toEqual([...few]);
    if ([...published.train].includes(only)) expect({ train, validation }).toEqual(published);
  }
});

test("every class keeps an image to train on, for any labels, share and seed; no class need lose an image for that", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(6), { minLength: 1, maxLength: 40 }),
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.nat(1000),
      (given, share, seed) => {
        const all = Uint32Array.from(given.keys());
        const [wanted, classes] = [Math.floor(share * given.length), new Set(given)];
        const most = Math.min(wanted, given.length - classes.size);
        fc.pre(most > 0);

        const { train, validation } = splitValidation(all, share, stream(seed), given);

        expect(new Set(Array.from(train, (i) => given[i]!))).toEqual(classes);
        expect(validation).toHaveLength(most);
        expect(sorted(train, validation)).toEqual([...all]);
      },
    ),
  );
});

test("images that are all needed to train leave none to validate with, and that is said", () => {
  expect(() => splitValidation(Uint32Array.of(0, 1, 2), 0.5, stream(), [0, 1, 2])).toThrow(
    "each of 3 images is the only one of its class, and is needed to train; give a validation share of 0, or more images",
  );
});
