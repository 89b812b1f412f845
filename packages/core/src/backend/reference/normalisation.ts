import type { Kernels } from "../backend.ts";
import { checkPositive, checkSize, refuse } from "./argument.ts";
import { rectified } from "./elementwise.ts";

type NormalisationKernels = Pick<
  Kernels,
  | "batchNormStatistics"
  | "batchNormForward"
  | "batchNormBackward"
  | "groupNormForward"
  | "groupNormInputGradient"
  | "groupNormParameterGradient"
>;

function checkAtLeast(kernel: string, name: string, value: number, least: number): void {
  if (!(value >= least)) refuse(kernel, `${name} is ${value}, and must be ${least} or more`);
}

interface GroupNormShape {
  readonly n: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
}

function checkGroups(kernel: string, { positions, channels, groups }: GroupNormShape): void {
  checkAtLeast(kernel, "positions", positions, 1);
  checkAtLeast(kernel, "channels", channels, 1);
  checkAtLeast(kernel, "groups", groups, 1);
  if (channels % groups !== 0)
    refuse(kernel, `channels is ${channels}, and must be a multiple of groups, ${groups}`);
}

/** Calls `body` with the index and the channel of every element of a group of an example. */
function eachOfGroup(
  { positions, channels, groups }: GroupNormShape,
  example: number,
  group: number,
  body: (at: number, channel: number) => void,
): void {
  const count = channels / groups;
  for (let position = 0; position < positions; position++) {
    for (let channel = group * count; channel < (group + 1) * count; channel++) {
      body((example * positions + position) * channels + channel, channel);
    }
  }
}

export const normalisationKernels: NormalisationKernels = {
  batchNormStatistics(x, mean, variance, rows, channels) {
    const kernel = "batchNormStatistics";
    checkAtLeast(kernel, "rows", rows, 1);
    checkSize(kernel, "x", x, rows * channels);
    checkSize(kernel, "mean", mean, channels);
    checkSize(kernel, "variance", variance, channels);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += x[row * channels + channel]!;
      const middle = sum / rows;
      let squares = 0;
      for (let row = 0; row < rows; row++) squares += (x[row * channels + channel]! - middle) ** 2;
      mean[channel] = middle;
      variance[channel] = squares / rows;
    }
  },

  batchNormForward(x, mean, variance, gamma, beta, y, rows, channels, epsilon, relu) {
    const kernel = "batchNormForward";
    checkSize(kernel, "x", x, rows * channels);
    checkSize(kernel, "y", y, rows * channels);
    for (const [name, array] of Object.entries({ mean, variance, gamma, beta }))
      checkSize(kernel, name, array, channels);
    checkPositive(kernel, "epsilon", epsilon);
    for (let at = 0; at < x.length; at++) {
      const channel = at % channels;
      const scale = gamma[channel]! / Math.sqrt(variance[channel]! + epsilon);
      const v = (x[at]! - mean[channel]!) * scale + beta[channel]!;
      y[at] = relu ? rectified(v) : v;
    }
  },

  batchNormBackward(
    dy,
    x,
    mean,
    variance,
    gamma,
    beta,
    dx,
    dgamma,
    dbeta,
    rows,
    channels,
    epsilon,
    relu,
    training,
  ) {
    const kernel = "batchNormBackward";
    for (const [name, array] of Object.entries({ dy, x, dx }))
      checkSize(kernel, name, array, rows * channels);
    for (const [name, array] of Object.entries({ mean, variance, gamma, beta, dgamma, dbeta }))
      checkSize(kernel, name, array, channels);
    checkPositive(kernel, "epsilon", epsilon);
    for (let channel = 0; channel < channels; channel++) {
      const root = 1 / Math.sqrt(variance[channel]! + epsilon);
      const scale = gamma[channel]! * root;
      const normalised = (at: number): number => (x[at]! - mean[channel]!) * root;
      const passed = (at: number): number =>
        relu && (x[at]! - mean[channel]!) * scale + beta[channel]! <= 0 ? 0 : dy[at]!;
      let gammaSum = 0;
      let betaSum = 0;
      for (let at = channel; at < rows * channels; at += channels) {
        gammaSum += passed(at) * normalised(at);
        betaSum += passed(at);
      }
      for (let at = channel; at < rows * channels; at += channels) {
        const through = training ? (betaSum + normalised(at) * gammaSum) / rows : 0;
        dx[at] = scale * (passed(at) - through);
      }
      dgamma[channel] = gammaSum;
      dbeta[channel] = betaSum;
    }
  },

  groupNormForward(x, gamma, beta, y, mean, root, n, positions, channels, groups, epsilon) {
    const kernel = "groupNormForward";
    const shape = { n, positions, channels, groups };
    checkGroups(kernel, shape);
    for (const [name, array] of Object.entries({ x, y }))
      checkSize(kernel, name, array, n * positions * channels);
    for (const [name, array] of Object.entries({ gamma, beta })) checkSize(kernel, name, array, channels);
    for (const [name, array] of Object.entries({ mean, root })) checkSize(kernel, name, array, n * groups);
    checkPositive(kernel, "epsilon", epsilon);
    const elements = (positions * channels) / groups;
    for (let of = 0; of < n * groups; of++) {
      const [example, group] = [Math.floor(of / groups), of % groups];
      let [sum, squares] = [0, 0];
      eachOfGroup(shape, example, group, (at) => (sum += x[at]!));
      const middle = sum / elements;
      eachOfGroup(shape, example, group, (at) => (squares += (x[at]! - middle) ** 2));
      mean[of] = middle;
      root[of] = 1 / Math.sqrt(squares / elements + epsilon);
      // The stored statistics, as the backward will read them.
      eachOfGroup(shape, example, group, (at, channel) => {
        y[at] = (x[at]! - mean[of]!) * root[of]! * gamma[channel]! + beta[channel]!;
      });
    }
  },

  groupNormInputGradient(dy, x, mean, root, gamma, dx, n, positions, channels, groups) {
    const kernel = "groupNormInputGradient";
    const shape = { n, positions, channels, groups };
    checkGroups(kernel, shape);
    for (const [name, array] of Object.entries({ dy, x, dx }))
      checkSize(kernel, name, array, n * positions * channels);
    for (const [name, array] of Object.entries({ mean, root })) checkSize(kernel, name, array, n * groups);
    checkSize(kernel, "gamma", gamma, channels);
    const elements = (positions * channels) / groups;
    for (let of = 0; of < n * groups; of++) {
      const [example, group] = [Math.floor(of / groups), of % groups];
      const normalised = (at: number): number => (x[at]! - mean[of]!) * root[of]!;
      let [sum, product] = [0, 0];
      eachOfGroup(shape, example, group, (at, channel) => {
        sum += dy[at]! * gamma[channel]!;
        product += dy[at]! * gamma[channel]! * normalised(at);
      });
      eachOfGroup(shape, example, group, (at, channel) => {
        dx[at] = root[of]! * (dy[at]! * gamma[channel]! - (sum + normalised(at) * product) / elements);
      });
    }
  },

  groupNormParameterGradient(dy, x, mean, root, dgamma, dbeta, n, positions, channels, groups) {
    const kernel = "groupNormParameterGradient";
    checkGroups(kernel, { n, positions, channels, groups });
    for (const [name, array] of Object.entries({ dy, x }))
      checkSize(kernel, name, array, n * positions * channels);
    for (const [name, array] of Object.entries({ mean, root })) checkSize(kernel, name, array, n * groups);
    for (const [name, array] of Object.entries({ dgamma, dbeta })) checkSize(kernel, name, array, channels);
    for (let channel = 0; channel < channels; channel++) {
      let [gammaSum, betaSum] = [0, 0];
      for (let at = channel; at < dy.length; at += channels) {
        const example = Math.floor(at / (positions * channels));
        const of = example * groups + Math.floor(channel / (channels / groups));
        gammaSum += dy[at]! * (x[at]! - mean[of]!) * root[of]!;
        betaSum += dy[at]!;
      }
      dgamma[channel] = gammaSum;
      dbeta[channel] = betaSum;
    }
  },
};
