import { CheckpointError, MillinerError } from "../errors.ts";
import { layerShape } from "../network/layer-shape.ts";
import type { Layer } from "../network/layer.ts";
import { inputName, isLayerName, type LayerNode, type Network } from "../network/network.ts";
import type { Shape } from "../tensor.ts";

/** A network as JSON: `{ format, version, inputShape, nodes: [{ name, layer, inputs }], output }`. Shapes follow from it. */
export function networkToJson(network: Network): unknown {
  return {
    format,
    version,
    inputShape: network.inputShape,
    nodes: network.nodes.map(({ name, layer, inputs }) => ({ name, layer, inputs })),
    output: network.output,
  };
}

const format = "milliner-network";
const version = 1;
const largestNodes = 100_000;

/**
 * Reads what `networkToJson` wrote. The file is not believed: every field is checked, and every shape computed anew.
 *
 * @param value - what JSON.parse gave
 * @param name - what messages call the file
 * @throws CheckpointError (`DAMAGED`) when it is not a network, naming the layer
 */
export function networkFromJson(value: unknown, name: string): Network {
  const damaged = (what: string, cause?: unknown): never => {
    throw new CheckpointError("DAMAGED", `${name} is not a network of milliner: ${what}`, { cause });
  };
  const fields = fieldsOf(value) ?? damaged("it is not an object");
  if (fields.get("format") !== format) damaged(`its format is not "${format}"`);
  if (fields.get("version") !== version) damaged(`its version is not ${version}`);
  const inputShape = fields.get("inputShape");
  if (!isShape(inputShape)) return damaged("its inputShape is no shape");
  const stored = fields.get("nodes");
  if (!Array.isArray(stored) || stored.length > largestNodes) return damaged("it has no list of nodes");

  const shapes = new Map<string, Shape>([[inputName, inputShape]]);
  const nodes: LayerNode[] = [];
  for (const entry of stored as unknown[]) {
    const node = fieldsOf(entry) ?? damaged(`node ${nodes.length} is not an object`);
    const called = node.get("name");
    if (typeof called !== "string" || !isLayerName(called) || shapes.has(called)) {
      return damaged(`node ${nodes.length} has no name of its own`);
    }
    const layer =
      layerOf(node.get("layer")) ?? damaged(`"${called}" is a layer of no known kind, or lacks a field`);
    const inputs = node.get("inputs");
    if (!isListOf(inputs, (input): input is string => typeof input === "string" && shapes.has(input))) {
      return damaged(`"${called}" reads something that does not stand before it`);
    }
    try {
      const shape = layerShape(
        layer,
        inputs.map((input) => shapes.get(input)!),
        called,
      );
      if (inputs.length > 1 && layer.kind !== "add" && layer.kind !== "concat")
        damaged(`"${called}" reads several layers`);
      shapes.set(called, shape);
      nodes.push({ name: called, layer, inputs, shape });
    } catch (error) {
      if (error instanceof MillinerError && !(error instanceof CheckpointError))
        damaged(error.message, error);
      throw error;
    }
  }
  const output = fields.get("output");
  if (typeof output !== "string" || !shapes.has(output)) return damaged("its output is none of its nodes");
  return { inputShape, nodes, output };
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? new Map(Object.entries(value))
    : undefined;
}

function isListOf<T>(value: unknown, is: (part: unknown) => part is T): value is readonly T[] {
  return Array.isArray(value) && (value as unknown[]).every(is);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isShape(value: unknown): value is Shape {
  return isListOf(value, isWhole) && value.length > 0 && value.length <= 8 && value.every((size) => size > 0);
}

function isPair(value: unknown): value is readonly [number, number] {
  return isListOf(value, isWhole) && value.length === 2;
}

// Field by field into a new object: what else the file holds is left behind.
function layerOf(value: unknown): Layer | undefined {
  const fields = fieldsOf(value);
  const [inputs, outputs, bias] = [fields?.get("inputs"), fields?.get("outputs"), fields?.get("bias")];
  const [kernel, stride, padding] = [fields?.get("kernel"), fields?.get("stride"), fields?.get("padding")];
  const kind = fields?.get("kind") as Layer["kind"] | undefined;
  switch (kind) {
    case "linear":
      if (!isWhole(inputs) || !isWhole(outputs) || typeof bias !== "boolean") return undefined;
      return { kind, inputs, outputs, bias };
    case "conv2d":
      if (!isWhole(inputs) || !isWhole(outputs) || typeof bias !== "boolean") return undefined;
      if (!isPair(kernel) || !isPair(stride) || !isPair(padding)) return undefined;
      return { kind, inputs, outputs, kernel, stride, padding, bias };
    case "max-pool2d":
      return isPair(kernel) && isPair(stride) ? { kind, kernel, stride } : undefined;
    case "dropout": {
      const p = fields?.get("p");
      return typeof p === "number" ? { kind, p } : undefined;
    }
    case "relu":
    case "flatten":
    case "add":
    case "concat":
      return { kind };
    case undefined:
      return undefined;
    default:
      kind satisfies never; // a kind that only the file knows
      return undefined;
  }
}
