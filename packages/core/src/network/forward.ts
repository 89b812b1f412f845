import { ShapeError } from "../errors.ts";
import { conv2d, overlaps, type Pooling } from "../operations/conv2d.ts";
import { add, applyGate, dropout, relu } from "../operations/elementwise.ts";
import { linear, type DropoutDraw } from "../operations/linear.ts";
import { maxPool2d } from "../operations/max-pool2d.ts";
import { concat, flatten } from "../operations/shape.ts";
import { Stream } from "../philox.ts";
import { checkKeys, type OptionKeys } from "../option-keys.ts";
import type { Tape } from "../tape.ts";
import { sameShape, type Tensor } from "../tensor.ts";
import { channelSpaces } from "./channel-spaces.ts";
import { inputName, type LayerNode, type Network } from "./network.ts";
import type { Parameters } from "./parameters.ts";

/** What dropout is drawn from. */
export interface TrainingDraws {
  readonly seed: number;
  readonly step: number;
  /** By name of a dropout node, for a part of a network: see `DropoutDraw.numbers`. */
  readonly numbers?: ReadonlyMap<string, Uint32Array> | undefined;
}

/** How a network is run. Without `training` dropout does nothing; without a tape nothing is recorded. */
export interface ForwardOptions {
  readonly tape?: Tape | undefined;
  /** Dropout is drawn from streams `dropout/NODE` of this seed, at this step. */
  readonly training?: TrainingDraws | undefined;
  /** One gate per unit, by name of channel space. Spaces without an entry are open. */
  readonly gates?: ReadonlyMap<string, Tensor> | undefined;
}

const forwardKeys: OptionKeys<ForwardOptions> = { tape: true, training: true, gates: true };

/** A run of nodes that one kernel computes: a product and the layers behind it that nobody else reads. */
interface Step {
  readonly node: LayerNode;
  /** Names of the node's parameters, for layers that have them. */
  readonly weight: string;
  readonly bias: string;
  readonly relu: boolean;
  readonly dropout: LayerNode | undefined;
  /** Of a convolution. */
  readonly pool: Pooling | undefined;
  /** The last node of the run: its output is the step's. */
  readonly last: LayerNode;
  /** Name of the space whose gate is applied to the output. */
  readonly gate: string | undefined;
}

const compiled = new WeakMap<Network, readonly Step[]>();

function compile(network: Network): readonly Step[] {
  const known = compiled.get(network);
  if (known !== undefined) return known;
  const { gatePoints } = channelSpaces(network);
  const onlyReader = (name: string): LayerNode | undefined => {
    const readers = network.nodes.filter((node) => node.inputs.includes(name));
    return readers.length === 1 && name !== network.output && !gatePoints.has(name) ? readers[0] : undefined;
  };
  const steps: Step[] = [];
  const done = new Set<string>();
  for (const node of network.nodes) {
    if (done.has(node.name)) continue;
    let last = node;
    let reluFused = false;
    let dropoutNode: LayerNode | undefined;
    let pool: Pooling | undefined;
    if (node.layer.kind === "linear" || node.layer.kind === "conv2d") {
      let next = onlyReader(last.name);
      if (next?.layer.kind === "relu") {
        [last, reluFused] = [next, true];
        done.add(next.name);
        next = onlyReader(last.name);
        if (next?.layer.kind === "dropout") {
          last = next;
          dropoutNode = next;
          done.add(next.name);
        }
      }
      next = onlyReader(last.name);
      if (node.layer.kind === "conv2d" && next?.layer.kind === "max-pool2d" && !overlaps(next.layer)) {
        [last, pool] = [next, next.layer];
        done.add(next.name);
      }
    }
    steps.push({
      node,
      weight: `${node.name}.weight`,
      bias: `${node.name}.bias`,
      relu: reluFused,
      dropout: dropoutNode,
      pool,
      last,
      gate: gatePoints.get(last.name)?.name,
    });
  }
  compiled.set(network, steps);
  return steps;
}

// Training draws in every step from the streams of one seed, and a stream's name is hashed when it is made.
const streams = new WeakMap<LayerNode, { readonly seed: number; readonly stream: Stream }>();

function streamOf(node: LayerNode, seed: number): Stream {
  const known = streams.get(node);
  if (known?.seed === seed) return known.stream;
  const stream = new Stream(seed, `dropout/${node.name}`);
  streams.set(node, { seed, stream });
  return stream;
}

function drawOf(node: LayerNode, training: ForwardOptions["training"]): DropoutDraw | undefined {
  if (node.layer.kind !== "dropout" || node.layer.p === 0 || training === undefined) return undefined;
  const { seed, step, numbers } = training;
  return { keep: 1 - node.layer.p, stream: streamOf(node, seed), step, numbers: numbers?.get(node.name) };
}

function parameter(parameters: Parameters, name: string): Tensor {
  const found = parameters.get(name);
  if (found === undefined)
    throw new ShapeError("MISSING_PARAMETER", `the network reads "${name}", which was not given`);
  return found;
}

function run(step: Step, inputs: readonly Tensor[], parameters: Parameters, options: ForwardOptions): Tensor {
  const { node } = step;
  const { tape, training } = options;
  const { layer } = node;
  const x = inputs[0]!;
  const gate = step.gate === undefined ? undefined : options.gates?.get(step.gate);
  const gated = (y: Tensor): Tensor => (gate === undefined ? y : applyGate(y, gate, tape));
  switch (layer.kind) {
    case "linear": {
      const bias = layer.bias ? parameter(parameters, step.bias) : undefined;
      const draw = step.dropout === undefined ? undefined : drawOf(step.dropout, training);
      const weight = parameter(parameters, step.weight);
      return linear(x, weight, { bias, relu: step.relu, dropout: draw, gate }, tape);
    }
    case "conv2d": {
      const bias = layer.bias ? parameter(parameters, step.bias) : undefined;
      const { stride, padding } = layer;
      const draw = step.dropout === undefined ? undefined : drawOf(step.dropout, training);
      const weight = parameter(parameters, step.weight);
      const { relu, pool } = step;
      return conv2d(x, weight, { bias, stride, padding, relu, dropout: draw, pool, gate }, tape);
    }
    case "max-pool2d":
      return gated(maxPool2d(x, layer.kernel, layer.stride, tape));
    case "relu":
      return gated(relu(x, tape));
    case "dropout": {
      const draw = drawOf(node, training);
      return gated(draw === undefined ? x : dropout(x, draw, tape));
    }
    case "flatten":
      return flatten(x, tape);
    case "add":
      return gated(add(x, inputs[1]!, tape));
    case "concat":
      return concat(inputs, tape);
    default:
      return layer satisfies never;
  }
}

/**
 * Runs a network on a batch.
 *
 * A chain `linear` or `conv2d`, `relu`, `dropout` with the gate behind it is one kernel, and so is the max pooling between a
 * convolution and its gate. The bits do not depend on that.
 *
 * @param x - [n, ...network.inputShape]
 * @param parameters - by name, `NODE.weight` and `NODE.bias`; others may be present
 * @returns [n, ...]; may be `x` itself for a network without layers
 * @throws ShapeError when x does not fit or a parameter is missing
 */
export function forward(
  network: Network,
  parameters: Parameters,
  x: Tensor,
  options: ForwardOptions = {},
): Tensor {
  checkKeys("forward", options, forwardKeys);
  if (!sameShape(x.shape.slice(1), network.inputShape)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `the network expects [n, ${network.inputShape.join(", ")}] but got [${x.shape.join(", ")}]`,
    );
  }
  const values = new Map<string, Tensor>([[inputName, x]]);
  for (const step of compile(network)) {
    const inputs = step.node.inputs.map((name) => values.get(name)!);
    values.set(step.last.name, run(step, inputs, parameters, options));
  }
  return values.get(network.output)!;
}
