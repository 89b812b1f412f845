import { isPoison, Numbers, poisoned } from "../arrays.ts";
import { rounding, type Expected } from "../bounded.ts";
import { fma32 } from "../fma.ts";
import type { Claims } from "./case.ts";
import { check, checkOutput, checkRefused } from "./check.ts";
import { channelStatistics, groupSum, gradientSums } from "./normalisation-order.ts";

const f = Math.fround;
const epsilon = 1e-3;

const batches = [
  [1, 1],
  [2, 3],
  [64, 8],
  [65, 17],
  [131, 33],
] as const;

// n, positions, channels, groups
const shapes = [
  [3, 1, 7, 1],
  [2, 1, 40, 5],
  [66, 1, 18, 2],
  [2, 3, 8, 8],
  [2, 65, 12, 2],
  [1, 5, 35, 1],
] as const;

// Statistics as they occur: variances above 0.
function variances(numbers: Numbers, count: number): Float32Array {
  return numbers.floats(count).map(Math.abs);
}

function column(x: Float32Array, channels: number, channel: number): number[] {
  return Array.from({ length: x.length / channels }, (_, row) => x[row * channels + channel]!);
}

function total(terms: readonly number[]): number {
  return terms.reduce((sum, term) => sum + term, 0);
}

function within(value: number, roundings: number, magnitude: number, exact: number): Expected {
  return { value, error: roundings * rounding * magnitude, exact };
}

/** `(x - mean) gamma root + beta`, with what a ReLU makes of it. */
function affine(
  x: number,
  mean: number,
  scale: Expected,
  beta: number,
  relu: boolean,
): Expected & { readonly before: number } {
  const value = (x - mean) * scale.value + beta;
  const before = fma32(f(x - mean), scale.exact, beta);
  const error = 8 * rounding * (Math.abs((x - mean) * scale.value) + Math.abs(beta));
  return {
    value: relu ? Math.max(value, 0) : value,
    error,
    exact: relu && !(before > 0) ? 0 : before,
    before,
  };
}

function scaleOf(gamma: number, variance: number): { readonly root: number; readonly scale: Expected } {
  const root = f(1 / f(Math.sqrt(f(variance + f(epsilon)))));
  const value = gamma / Math.sqrt(variance + epsilon);
  return { root, scale: within(value, 5, Math.abs(value), f(gamma * root)) };
}

export const normalisationClaims: Claims = {
  "batchNormStatistics are mean and biased variance of every channel, chunks of 64 rows ascending": (
    backend,
  ) => {
    const numbers = new Numbers(50);
    for (const [rows, channels] of batches) {
      const x = numbers.floats(rows * channels);
      const [mean, variance] = [poisoned(channels), poisoned(channels)];

      backend.kernels.batchNormStatistics(x, mean, variance, rows, channels);

      const what = `batchNormStatistics of [${rows}, ${channels}]`;
      const expected = Array.from({ length: channels }, (_, channel) => {
        const values = column(x, channels, channel);
        const middle = total(values) / rows;
        const inOrder = channelStatistics(values);
        const squares = total(values.map((v) => (v - middle) ** 2)) / rows;
        const roundings = 66 + 3 * Math.ceil(rows / 64);
        return {
          mean: within(middle, roundings, 1, inOrder.mean),
          variance: within(squares, 4 * roundings, 1, f(inOrder.squares / f(rows))),
        };
      });
      checkOutput(backend, `${what}: mean`, mean, (channel) => expected[channel]!.mean);
      checkOutput(backend, `${what}: variance`, variance, (channel) => expected[channel]!.variance);
    }
  },

  "batchNormForward is gamma (x - mean) / sqrt(variance + epsilon) + beta, then the ReLU": (backend) => {
    const numbers = new Numbers(51);
    for (const [rows, channels] of batches) {
      for (const relu of [false, true]) {
        const x = numbers.floats(rows * channels);
        const [mean, gamma, beta] = [
          numbers.floats(channels),
          numbers.floats(channels),
          numbers.floats(channels),
        ];
        const [variance, y] = [variances(numbers, channels), poisoned(rows * channels)];

        backend.kernels.batchNormForward(x, mean, variance, gamma, beta, y, rows, channels, epsilon, relu);

        checkOutput(backend, `batchNormForward of [${rows}, ${channels}], relu ${relu}`, y, (at) => {
          const channel = at % channels;
          const { scale } = scaleOf(gamma[channel]!, variance[channel]!);
          return affine(x[at]!, mean[channel]!, scale, beta[channel]!, relu);
        });
      }
    }
  },

  "batchNormBackward has the gradients of x, gamma and beta, through the statistics where they are x's": (
    backend,
  ) => {
    const numbers = new Numbers(52);
    for (const [rows, channels] of batches) {
      for (const [relu, training] of [
        [false, true],
        [true, true],
        [true, false],
      ] as const) {
        const [x, dy] = [numbers.floats(rows * channels), numbers.floats(rows * channels)];
        const [mean, gamma, beta] = [
          numbers.floats(channels),
          numbers.floats(channels),
          numbers.floats(channels),
        ];
        const variance = variances(numbers, channels);
        const [dx, dgamma, dbeta] = [poisoned(rows * channels), poisoned(channels), poisoned(channels)];

        backend.kernels.batchNormBackward(
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
        );

        const roundings = 64 + Math.ceil(rows / 64) + 14;
        const of = Array.from({ length: channels }, (_, channel) => {
          const { root, scale } = scaleOf(gamma[channel]!, variance[channel]!);
          const distances = column(x, channels, channel).map((v) => v - mean[channel]!);
          const g = column(dy, channels, channel).map((d, row) =>
            relu && !(fma32(f(distances[row]!), scale.exact, beta[channel]!) > 0) ? 0 : d,
          );
          const inOrder = gradientSums(g, distances.map(f));
          const exactRoot = 1 / Math.sqrt(variance[channel]! + epsilon);
          const parts = g.map((d, row) => d * distances[row]! * exactRoot);
          const [gammaSum, betaSum] = [total(parts), total(g)];
          const [gammaMagnitude, betaMagnitude] = [total(parts.map(Math.abs)), total(g.map(Math.abs))];
          const exactGamma = f(inOrder.product * root) + 0;
          const exactBeta = inOrder.sum + 0;
          const slope = training ? f(f(-scale.exact * root) * f(exactGamma / f(rows))) : 0;
          const offset = training ? f(-scale.exact * f(exactBeta / f(rows))) : 0;
          return {
            dgamma: within(gammaSum, roundings, gammaMagnitude, exactGamma),
            dbeta: within(betaSum, roundings, betaMagnitude, exactBeta),
            dx: (row: number): Expected => {
              const [d, distance] = [g[row]!, distances[row]! * exactRoot];
              const through = training ? (betaSum + distance * gammaSum) / rows : 0;
              const magnitude = training ? (betaMagnitude + Math.abs(distance) * gammaMagnitude) / rows : 0;
              return within(
                scale.value * (d - through),
                roundings,
                Math.abs(scale.value) * (Math.abs(d) + magnitude),
                fma32(d, scale.exact, fma32(f(distances[row]!), slope, offset)),
              );
            },
          };
        });
        const what = `batchNormBackward of [${rows}, ${channels}], relu ${relu}, training ${training}`;
        checkOutput(backend, `${what}: dgamma`, dgamma, (channel) => of[channel]!.dgamma);
        checkOutput(backend, `${what}: dbeta`, dbeta, (channel) => of[channel]!.dbeta);
        checkOutput(backend, `${what}: dx`, dx, (at) => of[at % channels]!.dx(Math.floor(at / channels)));
      }
    }
  },

  "groupNormForward normalises every group of every example": (backend) => {
    const numbers = new Numbers(53);
    for (const [n, positions, channels, groups] of shapes) {
      const x = numbers.floats(n * positions * channels);
      const [gamma, beta] = [numbers.floats(channels), numbers.floats(channels)];
      const [y, mean, root] = [poisoned(x.length), poisoned(n * groups), poisoned(n * groups)];

      backend.kernels.groupNormForward(
        x,
        gamma,
        beta,
        y,
        mean,
        root,
        n,
        positions,
        channels,
        groups,
        epsilon,
      );

      const count = channels / groups;
      const elements = count * positions;
      const of = Array.from({ length: n * groups }, (_, i) => {
        const [example, group] = [Math.floor(i / groups), i % groups];
        const image = x.subarray(example * positions * channels, (example + 1) * positions * channels);
        const values = Array.from({ length: count }, (__, c) => column(image, channels, group * count + c));
        const statistics = values.map(channelStatistics);
        const exactMean = f(
          groupSum(count, (lane, channel) => f(lane + statistics[channel]!.mean)) / f(count),
        );
        const squares = groupSum(count, (lane, channel) => {
          const distance = f(statistics[channel]!.mean - exactMean);
          return fma32(f(f(positions) * distance), distance, f(lane + statistics[channel]!.squares));
        });
        const middle = total(values.flat()) / elements;
        const variance = total(values.flat().map((v) => (v - middle) ** 2)) / elements;
        const roundings = 66 + 3 * Math.ceil(positions / 64) + Math.ceil(count / 16) + 5;
        const inverse = 1 / Math.sqrt(variance + epsilon);
        const exactRoot = f(1 / f(Math.sqrt(f(f(squares / f(elements)) + f(epsilon)))));
        return {
          mean: within(middle, roundings, 1, exactMean),
          root: within(inverse, 3 * roundings, inverse ** 3, exactRoot),
        };
      });
      const what = `groupNormForward of [${n}, ${positions}, ${channels}] in ${groups}`;
      checkOutput(backend, `${what}: mean`, mean, (i) => of[i]!.mean);
      checkOutput(backend, `${what}: root`, root, (i) => of[i]!.root);
      checkOutput(backend, what, y, (at) => {
        const channel = at % channels;
        const i = Math.floor(at / (positions * channels)) * groups + Math.floor(channel / count);
        const scale = within(gamma[channel]! * root[i]!, 1, root[i]!, f(gamma[channel]! * root[i]!));
        return affine(x[at]!, mean[i]!, scale, beta[channel]!, false);
      });
    }
  },

  "groupNormInputGradient and groupNormParameterGradient are the gradients of groupNormForward": (
    backend,
  ) => {
    const numbers = new Numbers(54);
    for (const [n, positions, channels, groups] of shapes) {
      const size = n * positions * channels;
      const [x, dy, gamma] = [numbers.floats(size), numbers.floats(size), numbers.floats(channels)];
      const [mean, root] = [numbers.floats(n * groups), variances(numbers, n * groups)];
      const [dx, dgamma, dbeta] = [poisoned(size), poisoned(channels), poisoned(channels)];

      const { kernels } = backend;
      kernels.groupNormInputGradient(dy, x, mean, root, gamma, dx, n, positions, channels, groups);
      kernels.groupNormParameterGradient(dy, x, mean, root, dgamma, dbeta, n, positions, channels, groups);

      const count = channels / groups;
      const elements = count * positions;
      // Sums of every channel of every example.
      const sums = Array.from({ length: n * channels }, (_, i) => {
        const [example, channel] = [Math.floor(i / channels), i % channels];
        const of = example * groups + Math.floor(channel / count);
        const part = (all: Float32Array): number[] =>
          column(
            all.subarray(example * positions * channels, (example + 1) * positions * channels),
            channels,
            channel,
          );
        const g = part(dy);
        const distances = part(x).map((v) => v - mean[of]!);
        const products = g.map((d, position) => d * distances[position]!);
        return {
          exact: gradientSums(g, distances.map(f)),
          product: total(products),
          sum: total(g),
          productMagnitude: total(products.map(Math.abs)),
          sumMagnitude: total(g.map(Math.abs)),
        };
      });
      const roundings = 64 + Math.ceil(positions / 64) + Math.ceil(count / 16) + 16;
      const groupsOf = Array.from({ length: n * groups }, (_, i) => {
        const first = Math.floor(i / groups) * channels + (i % groups) * count;
        const weighted = (key: "product" | "sum" | "productMagnitude" | "sumMagnitude"): number =>
          total(
            Array.from({ length: count }, (__, c) => {
              const factor = gamma[(i % groups) * count + c]!;
              return sums[first + c]![key] * (key.endsWith("Magnitude") ? Math.abs(factor) : factor);
            }),
          );
        const inOrder = (key: "product" | "sum"): number =>
          groupSum(count, (lane, c) =>
            fma32(gamma[(i % groups) * count + c]!, sums[first + c]!.exact[key], lane),
          );
        const exactRoot = root[i]!;
        return {
          product: weighted("product") / elements,
          sum: weighted("sum") / elements,
          productMagnitude: weighted("productMagnitude") / elements,
          sumMagnitude: weighted("sumMagnitude") / elements,
          slope: -f(f(exactRoot * exactRoot) * f(exactRoot * f(inOrder("product") / f(elements)))),
          offset: -f(exactRoot * f(inOrder("sum") / f(elements))),
        };
      });
      const what = `of [${n}, ${positions}, ${channels}] in ${groups}`;
      checkOutput(backend, `groupNormInputGradient ${what}`, dx, (at) => {
        const channel = at % channels;
        const i = Math.floor(at / (positions * channels)) * groups + Math.floor(channel / count);
        const [r, all] = [root[i]!, groupsOf[i]!];
        const distance = x[at]! - mean[i]!;
        const g = dy[at]! * gamma[channel]!;
        return within(
          r * (g - all.sum - distance * r * r * all.product),
          roundings,
          r * (Math.abs(g) + all.sumMagnitude + Math.abs(distance) * r * r * all.productMagnitude),
          fma32(dy[at]!, f(gamma[channel]! * r), fma32(f(distance), all.slope, all.offset)),
        );
      });
      const parameters = Array.from({ length: channels }, (_, channel) => {
        const of = Array.from({ length: n }, (__, example) => ({
          ...sums[example * channels + channel]!,
          root: root[example * groups + Math.floor(channel / count)]!,
        }));
        // Chunks of 64 examples.
        let [exactGamma, exactBeta] = [0, 0];
        for (let from = 0; from < n; from += 64) {
          let [partGamma, partBeta] = [0, 0];
          for (const { exact, root: factor } of of.slice(from, from + 64)) {
            partGamma = fma32(exact.product, factor, partGamma);
            partBeta = f(partBeta + exact.sum);
          }
          [exactGamma, exactBeta] = [f(exactGamma + partGamma), f(exactBeta + partBeta)];
        }
        const more = roundings + Math.min(n, 64) + Math.ceil(n / 64);
        return {
          dgamma: within(
            total(of.map((one) => one.product * one.root)),
            more,
            total(of.map((one) => one.productMagnitude * one.root)),
            exactGamma,
          ),
          dbeta: within(
            total(of.map((one) => one.sum)),
            more,
            total(of.map((one) => one.sumMagnitude)),
            exactBeta,
          ),
        };
      });
      checkOutput(
        backend,
        `groupNormParameterGradient ${what}: dgamma`,
        dgamma,
        (c) => parameters[c]!.dgamma,
      );
      checkOutput(backend, `groupNormParameterGradient ${what}: dbeta`, dbeta, (c) => parameters[c]!.dbeta);
    }
  },

  "batchNormStatistics of no rows, and groups that do not divide the channels, are refused": (backend) => {
    const { kernels } = backend;
    const one = new Float32Array(1);
    const six = new Float32Array(6);
    const y = poisoned(6);

    checkRefused(
      "no rows",
      () => kernels.batchNormStatistics(new Float32Array(0), one, one.slice(), 0, 1),
      "rows",
    );
    checkRefused(
      "4 groups of 6 channels",
      () => kernels.groupNormForward(six, six, six, y, one, one.slice(), 1, 1, 6, 4, epsilon),
      "6",
      "4",
    );
    checkRefused(
      "an epsilon of 0",
      () => kernels.groupNormForward(six, six, six, y, one, one.slice(), 1, 1, 6, 1, 0),
      "epsilon",
    );
    check(isPoison(y, 0), () => "groupNormForward wrote before it refused");
  },
};
