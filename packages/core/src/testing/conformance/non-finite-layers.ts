import { Numbers } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { checkFeeding, reached, type Reach } from "./feeding.ts";

const epsilon = 1e-3;

// Windows that touch, one that leaves gaps and pixels over, one that overlaps: n, height, width, channels, window, strides.
const windows = [
  [2, 4, 6, 9, 2, 2, 2, 2],
  [2, 7, 6, 17, 2, 2, 3, 2],
  [1, 5, 5, 3, 3, 2, 1, 1],
] as const;

/** The same of pooling and normalisation. */
export const nonFiniteLayerClaims: Claims = {
  "maxPool2dForward and maxPool2dBackward pass a NaN on": (backend) => {
    const numbers = new Numbers(130);
    for (const geometry of windows) {
      const [n, height, width, channels, r, s, strideY, strideX] = geometry;
      const [outHeight, outWidth] = outputsOf(geometry);
      const size = n * outHeight * outWidth * channels;
      const argmax = new Int32Array(size);
      const x = numbers.floats(n * height * width * channels);
      // Whether pixel `at` lies in the window of output `to`, in the same channel.
      const isUnder = (at: number, to: number): boolean => {
        const [pixel, output] = [Math.floor(at / channels), Math.floor(to / channels)];
        const [row, column] = [Math.floor(pixel / width) % height, pixel % width];
        const [top, left] = [
          (Math.floor(output / outWidth) % outHeight) * strideY,
          (output % outWidth) * strideX,
        ];
        return (
          at % channels === to % channels &&
          Math.floor(pixel / width / height) === Math.floor(output / outWidth / outHeight) &&
          row >= top &&
          row < top + r &&
          column >= left &&
          column < left + s
        );
      };
      const shape = Int32Array.from(geometry);
      checkFeeding(backend, {
        what: `maxPool2dForward of [${geometry.join(", ")}]`,
        inputs: { x },
        outputs: { y: size },
        run: (all) => backend.kernels.maxPool2dForward(all.x, all.y, argmax, shape),
        reach: (_, at, __, to, bad) => {
          if (!isUnder(at, to)) return "no";
          return bad === -Infinity ? "maybe" : "yes"; // the smallest of its window
        },
      });
      backend.kernels.maxPool2dForward(x, new Float32Array(size), argmax, shape);
      const winner = (at: number): number =>
        Math.floor((at * n) / size) * height * width * channels + argmax[at]!;
      checkFeeding(backend, {
        what: `maxPool2dBackward of [${geometry.join(", ")}]`,
        inputs: { dy: numbers.floats(size) },
        outputs: { dx: x.length },
        run: (all) => backend.kernels.maxPool2dBackward(all.dy, argmax, all.dx, shape),
        reach: (_, at, __, to) => reached(winner(at) === to),
      });
    }
  },

  "maxPool2dActivationBackward passes a NaN of dy, h and the gate to dv, dgate and dbias": (backend) => {
    const numbers = new Numbers(131);
    for (const geometry of windows.slice(0, 2)) {
      for (const relu of [false, true]) {
        const [n, height, width, channels] = geometry;
        const [outHeight, outWidth] = outputsOf(geometry);
        const size = n * outHeight * outWidth * channels;
        const image = height * width * channels;
        const [h, argmax] = [new Float32Array(size), new Int32Array(size)];
        const shape = Int32Array.from(geometry);
        const x = numbers.floats(n * image).map((v) => (relu && v < 0.3 ? 0 : v));
        backend.kernels.maxPool2dForward(x, h, argmax, shape);
        const winner = (at: number): number => Math.floor((at * n) / size) * image + argmax[at]!;
        const gate = numbers.gates(channels);
        checkFeeding(backend, {
          what: `maxPool2dActivationBackward of [${geometry.join(", ")}], relu ${relu}`,
          inputs: { dy: numbers.floats(size), h, gate },
          outputs: { dv: n * image, dgate: channels, dbias: channels },
          run: (all) =>
            backend.kernels.maxPool2dActivationBackward(
              all.dy,
              argmax,
              all.h,
              all.gate,
              all.dv,
              all.dgate,
              all.dbias,
              shape,
              relu,
              0.8,
            ),
          reach: (input, at, output, to) => {
            if (at % channels !== to % channels) return "no";
            if (output === "dgate") return reached(input !== "gate");
            if (input === "gate") return "maybe"; // at the maxima only
            const place = output === "dbias" || winner(at) === to;
            if (input === "h") return relu && place ? "maybe" : "no";
            return reached(place && gate[at % channels] !== 0 && (!relu || h[at]! > 0));
          },
        });
      }
    }
  },

  "globalAveragePoolForward and globalAveragePoolBackward pass a NaN on": (backend) => {
    const numbers = new Numbers(132);
    const [n, positions, channels] = [3, 70, 17];
    const isMean = (element: number, mean: number): boolean =>
      element % channels === mean % channels &&
      Math.floor(element / positions / channels) === Math.floor(mean / channels);
    checkFeeding(backend, {
      what: "globalAveragePoolForward",
      inputs: { x: numbers.floats(n * positions * channels) },
      outputs: { y: n * channels },
      run: (all) => backend.kernels.globalAveragePoolForward(all.x, all.y, n, positions, channels),
      reach: (_, at, __, to) => reached(isMean(at, to)),
    });
    checkFeeding(backend, {
      what: "globalAveragePoolBackward",
      inputs: { dy: numbers.floats(n * channels) },
      outputs: { dx: n * positions * channels },
      run: (all) => backend.kernels.globalAveragePoolBackward(all.dy, all.dx, n, positions, channels),
      reach: (_, at, __, to) => reached(isMean(to, at)),
    });
  },

  "batchNormStatistics, batchNormForward and batchNormBackward pass a NaN on, behind a ReLU too": (
    backend,
  ) => {
    const numbers = new Numbers(133);
    const { kernels } = backend;
    const [rows, channels] = [70, 17];
    const size = rows * channels;
    const [x, dy] = [numbers.floats(size), numbers.floats(size)];
    const mean = numbers.floats(channels);
    const variance = numbers.floats(channels).map(Math.abs);
    const [gamma, beta] = [numbers.floats(channels), numbers.floats(channels)];
    checkFeeding(backend, {
      what: "batchNormStatistics",
      inputs: { x },
      outputs: { mean: channels, variance: channels },
      run: (all) => kernels.batchNormStatistics(all.x, all.mean, all.variance, rows, channels),
      reach: (_, at, __, to) => reached(at % channels === to),
    });
    for (const relu of [false, true]) {
      checkFeeding(backend, {
        what: `batchNormForward, relu ${relu}`,
        inputs: { x, mean, variance, gamma, beta },
        outputs: { y: size },
        run: (all) =>
          kernels.batchNormForward(
            all.x,
            all.mean,
            all.variance,
            all.gamma,
            all.beta,
            all.y,
            rows,
            channels,
            epsilon,
            relu,
          ),
        reach: (input, at, _, to, bad) => {
          if (input === "x" ? at !== to : at !== to % channels) return "no";
          // ReLU takes -Infinity to 0, and the root of an infinite variance divides to 0.
          return !Number.isNaN(bad) && (relu || input === "variance") ? "maybe" : "yes";
        },
      });
      checkFeeding(backend, {
        what: `batchNormBackward, relu ${relu}`,
        inputs: { dy, x, mean, variance, gamma, beta },
        outputs: { dx: size, dgamma: channels, dbeta: channels },
        run: (all) =>
          kernels.batchNormBackward(
            all.dy,
            all.x,
            all.mean,
            all.variance,
            all.gamma,
            all.beta,
            all.dx,
            all.dgamma,
            all.dbeta,
            rows,
            channels,
            epsilon,
            relu,
            true,
          ),
        reach: (input, at, output, to, bad): Reach => {
          if (at % channels !== to % channels) return "no";
          if (relu && (input === "dy" || !Number.isNaN(bad))) return "maybe"; // where ReLU lets it through
          if (input === "beta") return relu ? "maybe" : "no"; // dy passes behind a NaN
          if (output === "dbeta") return input === "dy" ? "yes" : relu ? "maybe" : "no";
          if (input === "gamma" && output === "dgamma") return relu ? "maybe" : "no";
          return input === "variance" && !Number.isNaN(bad) ? "maybe" : "yes";
        },
      });
    }
  },

  "groupNormForward, groupNormInputGradient and groupNormParameterGradient pass a NaN on": (backend) => {
    const numbers = new Numbers(134);
    const { kernels } = backend;
    for (const [n, positions, channels, groups] of [
      [3, 1, 34, 2],
      [2, 67, 12, 3],
    ] as const) {
      const size = n * positions * channels;
      const [x, dy] = [numbers.floats(size), numbers.floats(size)];
      const [gamma, beta] = [numbers.floats(channels), numbers.floats(channels)];
      const mean = numbers.floats(n * groups);
      const root = numbers.floats(n * groups).map(Math.abs);
      const groupOf = (at: number): number => Math.floor((at % channels) / (channels / groups));
      const statisticsOf = (at: number): number =>
        Math.floor(at / positions / channels) * groups + groupOf(at);
      const what = `of [${n}, ${positions}, ${channels}] in ${groups} groups`;
      checkFeeding(backend, {
        what: `groupNormForward ${what}`,
        inputs: { x, gamma, beta },
        outputs: { y: size, mean: n * groups, root: n * groups },
        run: (all) =>
          kernels.groupNormForward(
            all.x,
            all.gamma,
            all.beta,
            all.y,
            all.mean,
            all.root,
            n,
            positions,
            channels,
            groups,
            epsilon,
          ),
        reach: (input, at, output, to) => {
          if (output !== "y") return reached(input === "x" && statisticsOf(at) === to);
          return reached(input === "x" ? statisticsOf(at) === statisticsOf(to) : at === to % channels);
        },
      });
      checkFeeding(backend, {
        what: `groupNormInputGradient ${what}`,
        inputs: { dy, x, mean, root, gamma },
        outputs: { dx: size },
        run: (all) =>
          kernels.groupNormInputGradient(
            all.dy,
            all.x,
            all.mean,
            all.root,
            all.gamma,
            all.dx,
            n,
            positions,
            channels,
            groups,
          ),
        reach: (input, at, _, to) => {
          if (input === "gamma") return reached(groupOf(at) === groupOf(to));
          return reached((input === "dy" || input === "x" ? statisticsOf(at) : at) === statisticsOf(to));
        },
      });
      checkFeeding(backend, {
        what: `groupNormParameterGradient ${what}`,
        inputs: { dy, x, mean, root },
        outputs: { dgamma: channels, dbeta: channels },
        run: (all) =>
          kernels.groupNormParameterGradient(
            all.dy,
            all.x,
            all.mean,
            all.root,
            all.dgamma,
            all.dbeta,
            n,
            positions,
            channels,
            groups,
          ),
        reach: (input, at, output, to) => {
          if (output === "dbeta") return reached(input === "dy" && at % channels === to);
          return reached(
            input === "dy" || input === "x" ? at % channels === to : at % groups === groupOf(to),
          );
        },
      });
    }
  },
};

function outputsOf(geometry: (typeof windows)[number]): readonly [number, number] {
  const [, height, width, , r, s, strideY, strideX] = geometry;
  return [Math.floor((height - r) / strideY) + 1, Math.floor((width - s) / strideX) + 1];
}
