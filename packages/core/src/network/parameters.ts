import type { Backend } from "../backend/backend.ts";
import { keep } from "../memory.ts";
import { checkKeys } from "../option-keys.ts";
import { Stream } from "../philox.ts";
import { elements, Tensor, type Shape } from "../tensor.ts";
import { parameterShapes } from "./layer.ts";
import type { LayerNode, Network } from "./network.ts";

/** Tensors by name: `NODE.weight`, `NODE.bias`. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** A parameter of a network: its name, its shape, and the node that reads it. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly node: LayerNode;
  readonly role: "weight" | "bias";
}

/** All parameters in the order of the nodes, weight before bias. */
export function parameterSpecs(network: Network): readonly ParameterSpec[] {
  return network.nodes.flatMap((node) =>
    parameterShapes(node.layer).map(([role, shape]) => ({ name: `${node.name}.${role}`, shape, node, role })),
  );
}

/**
 * Where initial values come from. `uniform-fan-in`: U(-1/sqrt(fanIn), 1/sqrt(fanIn)) for weights and biases, PyTorch's
 * default for Linear and Conv2d and what the published HAT code starts from. `xavier-uniform`: U(+-sqrt(6 / (fanIn +
 * fanOut))) for weights (Glorot and Bengio 2010), biases 0.
 */
export type Initialiser = "uniform-fan-in" | "xavier-uniform";

/**
 * Initial values of one parameter, from the stream (`seed`, `init/NAME`), an element counted by its index.
 * @param out - where they go; default a new array
 */
export function initialValues(
  spec: ParameterSpec,
  seed: number,
  scheme: Initialiser,
  step = 0,
  out: Float32Array = new Float32Array(elements(spec.shape)),
): Float32Array {
  const [weight] = parameterShapes(spec.node.layer);
  const [outputs, ...rest] = weight![1];
  const fanIn = elements(rest);
  const receptive = elements(rest.slice(0, -1));
  if (scheme === "xavier-uniform" && spec.role === "bias") return out.fill(0);
  const bound =
    scheme === "xavier-uniform" ? Math.sqrt(6 / (fanIn + outputs! * receptive)) : 1 / Math.sqrt(fanIn);
  return new Stream(seed, `init/${spec.name}`).uniform(out.length, -bound, bound, step, out);
}

/**
 * Makes the parameters of a network. They outlive any `tidy` they are made in: dispose them when done.
 * @param seed - same seed, same values, whatever else the network holds
 */
export function initialise(
  network: Network,
  options: { readonly backend: Backend; readonly seed: number; readonly scheme?: Initialiser },
): Map<string, Tensor> {
  checkKeys("initialise", options, { backend: true, seed: true, scheme: true });
  const { backend, seed, scheme = "uniform-fan-in" } = options;
  return new Map(
    parameterSpecs(network).map((spec) => {
      const t = keep(new Tensor(spec.shape, { backend, requiresGrad: true }));
      initialValues(spec, seed, scheme, 0, t.data);
      return [spec.name, t];
    }),
  );
}
