import { describe, expect, test } from "vitest";
import {
  Adam,
  AdamW,
  conv2d,
  ConfigError,
  forward,
  initialise,
  linear,
  maxPool2d,
  network,
  referenceBackend,
  selectBackend,
  Sgd,
  tensor,
  zeros,
} from "./index.ts";
import * as operations from "./operations/index.ts";

const backend = referenceBackend;
const body = network([2], linear(1));
const [x, w, one] = [
  zeros([2, 2], { backend }),
  zeros([1, 2], { backend }),
  zeros([2], { backend }),
] as const;
const image = zeros([1, 2, 2, 1], { backend });
const kernel = zeros([1, 1, 1, 1], { backend });

/** Calls with options as a user could write them, one of them spelled wrong, and the name that was meant. */
const calls: Readonly<Record<string, readonly [meant: string, call: (typo: never) => unknown]>> = {
  Sgd: ["momentum", (typo) => new Sgd({ lr: 1, ...(typo as object) })],
  Adam: ["betas", (typo) => new Adam({ lr: 1, ...(typo as object) })],
  AdamW: ["weightDecay", (typo) => new AdamW({ lr: 1, ...(typo as object) })],
  "layer linear": ["bias", (typo) => linear(1, typo)],
  "layer conv2d": ["padding", (typo) => conv2d(1, 1, typo)],
  "layer maxPool2d": ["stride", (typo) => maxPool2d(1, typo)],
  initialise: ["scheme", (typo) => initialise(body, { backend, seed: 1, ...(typo as object) })],
  forward: ["gates", (typo) => forward(body, new Map(), x, typo)],
  selectBackend: ["precision", (typo) => selectBackend("reference", typo)],
  tensor: ["requiresGrad", (typo) => tensor([1], [1], { backend, ...(typo as object) })],
  "operation linear": ["gate", (typo) => operations.linear(x, w, typo)],
  "operation conv2d": ["stride", (typo) => operations.conv2d(image, kernel, typo)],
  batchNorm: ["training", (typo) => operations.batchNorm(x, one, one, typo)],
  groupNorm: ["eps", (typo) => operations.groupNorm(x, 1, one, one, typo)],
  layerNorm: ["eps", (typo) => operations.layerNorm(x, one, one, typo)],
};

describe("an option that is spelled wrong is refused, and the nearest named:", () => {
  test.each(Object.entries(calls))("%s", (_, [meant, call]) => {
    const typo = `${meant}s`;

    expect(() => call({ [typo]: 1 } as never)).toThrow(ConfigError);
    expect(() => call({ [typo]: 1 } as never)).toThrow(
      expect.objectContaining({
        code: "UNKNOWN_KEY",
        message: expect.stringContaining(`has no option "${typo}"; did you mean "${meant}"?`),
      }),
    );
  });
});

/** Calls with a switch as a settings file or the environment may have it. */
const switches: Readonly<Record<string, readonly [name: string, call: (wrong: object) => unknown]>> = {
  Sgd: ["nesterov", (wrong) => new Sgd({ lr: 1, momentum: 0.5, ...wrong })],
  "layer linear": ["bias", (wrong) => linear(1, wrong)],
  "layer conv2d": ["bias", (wrong) => conv2d(1, 1, wrong)],
  tensor: ["requiresGrad", (wrong) => tensor([1], [1], { backend, ...wrong })],
  "operation linear": ["relu", (wrong) => operations.linear(x, w, wrong)],
  "operation conv2d": ["relu", (wrong) => operations.conv2d(image, kernel, wrong)],
  "batchNorm in training": ["training", (wrong) => operations.batchNorm(x, one, one, wrong)],
  "batchNorm with ReLU": ["relu", (wrong) => operations.batchNorm(x, one, one, { training: true, ...wrong })],
};

describe('a switch that is neither true nor false is refused, for the text "false" would be true:', () => {
  test.each(Object.entries(switches))("%s", (_, [name, call]) => {
    for (const [value, shown] of [
      ["false", '"false"'],
      ["true", '"true"'],
      [0, "0"],
      [1, "1"],
      [null, "null"],
      [[], "an object"],
    ] as const) {
      expect(() => call({ [name]: value }), shown).toThrow(
        expect.objectContaining({
          name: "ConfigError",
          code: "BAD_VALUE",
          message: expect.stringMatching(`^${name} of .* must be true or false, not ${shown}$`),
        }),
      );
    }
    expect(() => call({ [name]: undefined }), "left to its default").not.toThrow(/must be true or false/);
  });
});

test("a name that every object inherits is no option either", () => {
  expect(() => new Sgd({ lr: 1, constructor: 1 } as never)).toThrow(/Sgd has no option "constructor"/);
});
