import { Stream, Tape, tensor, type Tensor, tidy, zeros, type Backend, type Gradients } from "@milliner/core";
import {
  add,
  batchNorm,
  conv2d,
  crossEntropy,
  globalAveragePool,
  linear,
  relu,
} from "@milliner/core/operations";
import type { Candidate, Cost } from "./interleave.ts";

const [batchSize, side, classes] = [32, 32, 10];
const [lr, momentum, seed] = [0.05, 0.9, 1];

interface Convolution {
  readonly w: Tensor;
  readonly stride: number;
  readonly gamma: Tensor;
  readonly beta: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
}

interface Block {
  readonly first: Convolution;
  readonly second: Convolution;
  /** 1 x 1, where the block changes the shape. */
  readonly shortcut: Convolution | undefined;
}

/** ResNet-18 for 32 x 32 images: a 3 x 3 stem without pooling, four stages of two blocks, average pooling, one head. */
interface ResNet {
  readonly stem: Convolution;
  readonly blocks: readonly Block[];
  readonly head: { readonly w: Tensor; readonly bias: Tensor };
  /** Everything that is learned. */
  readonly parameters: readonly Tensor[];
}

/**
 * Floating-point operations of the convolutions and the head of one training step, two for a multiply-add: forward, weight
 * gradients, and input gradients but for the stem's.
 */
export const resnetStepFlops: number = convolutions().reduce(
  (flops, { inputs, outputs, kernel, stride, size }, i) =>
    flops + (i === 0 ? 4 : 6) * batchSize * (size / stride) ** 2 * outputs * inputs * kernel ** 2,
  6 * batchSize * 512 * classes,
);

/** One training step with SGD and momentum on core's operations, with state and inputs of its own. */
export function ourResnetStep(backend: Backend): Candidate {
  const net = resnet(backend);
  const velocities = new Map(net.parameters.map((p) => [p, zeros(p.shape, { backend })]));
  const factors = Float32Array.of(lr, momentum, 0);
  const count = batchSize * side * side * 3;
  const images = tensor(
    new Stream(seed, "benchmark/images").uniform(count, -1, 1),
    [batchSize, side, side, 3],
    {
      backend,
    },
  );
  const labels = Int32Array.from({ length: batchSize }, (_, i) => i % classes);
  return { name: "our ResNet-18 step", run };

  async function run(steps: number): Promise<Cost> {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < steps; i++) tidy(once);
    const { user, system } = process.cpuUsage(cpu);
    return { cpuSeconds: (user + system) * 1e-6, wallSeconds: (performance.now() - wall) * 1e-3 };
  }

  function once(): number {
    const tape = new Tape();
    const loss = crossEntropy(logits(net, images, tape), labels, tape);
    using gradients = tape.backward(loss);
    step(gradients);
    return loss.item();
  }

  function step(gradients: Gradients): void {
    for (const [p, velocity] of velocities) {
      const gradient = gradients.get(p)!;
      backend.kernels.momentum(p.data, gradient.data, velocity.data, factors, false, null, 1, p.data.length);
    }
  }
}

interface Shape {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  /** Height and width of the input. */
  readonly size: number;
}

// In the order of `resnet`: the stem, then of each block its two convolutions and its shortcut.
function convolutions(): Shape[] {
  const shapes: Shape[] = [{ inputs: 3, outputs: 64, kernel: 3, stride: 1, size: side }];
  let [inputs, size] = [64, side];
  for (const outputs of [64, 128, 256, 512]) {
    for (const stride of [outputs === 64 ? 1 : 2, 1]) {
      shapes.push({ inputs, outputs, kernel: 3, stride, size });
      shapes.push({ inputs: outputs, outputs, kernel: 3, stride: 1, size: size / stride });
      if (stride === 2) shapes.push({ inputs, outputs, kernel: 1, stride, size });
      [inputs, size] = [outputs, size / stride];
    }
  }
  return shapes;
}

function resnet(backend: Backend): ResNet {
  const parameters: Tensor[] = [];
  const learned = (shape: readonly number[], values: ArrayLike<number>): Tensor => {
    const parameter = tensor(values, shape, { backend, requiresGrad: true });
    parameters.push(parameter);
    return parameter;
  };
  const weights = (shape: readonly number[], fanIn: number): Tensor => {
    const bound = Math.sqrt(6 / fanIn);
    const name = `benchmark/resnet/${parameters.length}`;
    return learned(
      shape,
      new Stream(seed, name).uniform(
        shape.reduce((a, b) => a * b),
        -bound,
        bound,
      ),
    );
  };
  const list = convolutions().map(({ inputs, outputs, kernel, stride }): Convolution => ({
    w: weights([outputs, kernel, kernel, inputs], inputs * kernel ** 2),
    stride,
    gamma: learned([outputs], new Float32Array(outputs).fill(1)),
    beta: learned([outputs], new Float32Array(outputs)),
    runningMean: zeros([outputs], { backend }),
    runningVariance: tensor(new Float32Array(outputs).fill(1), [outputs], { backend }),
  }));
  const [stem, ...rest] = list as [Convolution, ...Convolution[]];
  const blocks: Block[] = [];
  while (rest.length > 0) {
    const [first, second] = rest.splice(0, 2) as [Convolution, Convolution];
    blocks.push({ first, second, shortcut: first.stride === 2 ? rest.shift() : undefined });
  }
  const head = { w: weights([classes, 512], 512), bias: learned([classes], new Float32Array(classes)) };
  return { stem, blocks, head, parameters };
}

function logits({ stem, blocks, head }: ResNet, images: Tensor, tape: Tape): Tensor {
  let x = normalised(stem, images, true, tape);
  for (const { first, second, shortcut } of blocks) {
    const inner = normalised(second, normalised(first, x, true, tape), false, tape);
    const passed = shortcut === undefined ? x : normalised(shortcut, x, false, tape);
    x = relu(add(inner, passed, tape), tape);
  }
  return linear(globalAveragePool(x, tape), head.w, { bias: head.bias }, tape);
}

/** A convolution that keeps or halves the image, normalised by the batch, with a ReLU where it has one. */
function normalised(of: Convolution, x: Tensor, isRelu: boolean, tape: Tape): Tensor {
  const { w, stride, gamma, beta, runningMean, runningVariance } = of;
  const padding = (w.shape[1]! - 1) / 2;
  const y = conv2d(x, w, { stride: [stride, stride], padding: [padding, padding] }, tape);
  return batchNorm(y, gamma, beta, { runningMean, runningVariance, training: true, relu: isRelu }, tape);
}
