import { ConfigError, ShapeError } from "../errors.ts";
import { checkNumber } from "../number-range.ts";
import { checkKeys, type OptionKeys } from "../option-keys.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { checkOneBackend } from "./one-backend.ts";
import { checkEpsilon, checkPerChannel } from "./normalisation.ts";

/** How a batch is normalised. Names and defaults are PyTorch's. */
export interface BatchNormOptions {
  /** [channels]. Evaluation normalises by it, training moves it towards the batch's. Training can do without. */
  readonly runningMean?: Tensor | undefined;
  /** [channels], of the unbiased variance. Given with `runningMean`. */
  readonly runningVariance?: Tensor | undefined;
  /** How far training moves the running statistics towards the batch's, 0 to 1. Default 0.1. */
  readonly momentum?: number | undefined;
  /** Added to the variance, above 0. Default 1e-5. */
  readonly eps?: number | undefined;
  /** Whether to normalise by the statistics of this batch, and to move the running ones. Default false. */
  readonly training?: boolean | undefined;
  /** A ReLU behind it, in the same pass. Default false. */
  readonly relu?: boolean | undefined;
}

const batchNormKeys: OptionKeys<BatchNormOptions> = {
  runningMean: true,
  runningVariance: true,
  momentum: true,
  eps: true,
  training: "switch",
  relu: "switch",
};

/**
 * `gamma (x - mean) / sqrt(variance + eps) + beta` for every channel, the last dimension. In training mean and biased
 * variance are those of x over all other dimensions, and the running statistics are moved in place:
 * `running = (1 - momentum) running + momentum statistic`, with the unbiased variance. Source: Ioffe and Szegedy 2015; the
 * conventions are those of PyTorch's batch_norm.
 *
 * @param x - [..., channels], for example images [n, height, width, channels]
 * @param gamma - [channels]
 * @param beta - [channels]
 * @returns the shape of x; the caller owns it
 * @throws ShapeError when the shapes do not fit, or when training has only one value per channel
 * @throws ConfigError when running statistics are missing, or `eps` or `momentum` makes no sense
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  options: BatchNormOptions = {},
  tape?: Tape,
): Tensor {
  checkKeys("batchNorm", options, batchNormKeys);
  const {
    runningMean,
    runningVariance,
    momentum = 0.1,
    eps = 1e-5,
    training = false,
    relu = false,
  } = options;
  const channels = x.shape.at(-1) ?? 0;
  if (x.shape.length < 2 || channels === 0) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `batchNorm takes [..., channels], but got [${x.shape.join(", ")}]`,
    );
  }
  checkPerChannel("batchNorm", channels, { gamma, beta, runningMean, runningVariance });
  checkOneBackend("batchNorm", x, gamma, beta, runningMean, runningVariance);
  checkEpsilon("batchNorm", eps);
  checkNumber("batchNorm: momentum", momentum, { from: 0, upTo: 1 });
  if ((runningMean === undefined) !== (runningVariance === undefined) || (!training && !runningMean)) {
    throw new ConfigError(
      "MISSING_PARAMETER",
      "batchNorm needs both runningMean and runningVariance; only training can do without both",
    );
  }
  const rows = x.data.length / channels;
  if (training && rows < 2) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `batchNorm in training needs more than one value per channel, but got [${x.shape.join(", ")}]`,
    );
  }

  const { backend } = x;
  const { kernels } = backend;
  const mean = training ? new Tensor([channels], { backend }) : runningMean!;
  const variance = training ? new Tensor([channels], { backend }) : runningVariance!;
  if (training) {
    kernels.batchNormStatistics(x.data, mean.data, variance.data, rows, channels);
    move(runningMean, mean, momentum, 1);
    move(runningVariance, variance, momentum, rows / (rows - 1));
  }
  const y = new Tensor(x.shape, { backend });
  kernels.batchNormForward(
    x.data,
    mean.data,
    variance.data,
    gamma.data,
    beta.data,
    y.data,
    rows,
    channels,
    eps,
    relu,
  );

  const inputs = [x, gamma, beta];
  if (training && !inputs.some((input) => tape?.tracks(input))) {
    mean.dispose();
    variance.dispose();
  }
  tape?.record("batchNorm", inputs, y, (dy, sink) => {
    const [dx, dgamma, dbeta] = inputs.map((input) => new Tensor(input.shape, { backend })) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    kernels.batchNormBackward(
      dy.data,
      x.data,
      mean.data,
      variance.data,
      gamma.data,
      beta.data,
      dx.data,
      dgamma.data,
      dbeta.data,
      rows,
      channels,
      eps,
      relu,
      training,
    );
    sink.add(x, dx);
    sink.add(gamma, dgamma);
    sink.add(beta, dbeta);
  });
  return y;
}

// A few numbers per channel, in double and rounded once: the same bits on every backend that has the same statistics.
function move(running: Tensor | undefined, statistic: Tensor, momentum: number, factor: number): void {
  running?.data.forEach((value, channel) => {
    running.data[channel] = (1 - momentum) * value + momentum * factor * statistic.data[channel]!;
  });
}
