import {
  ConfigError,
  elements,
  inputName,
  NumericError,
  parameterSpecs,
  sameShape,
  ShapeError,
  type LayerNode,
  type Network,
  type Parameters,
  type Shape,
} from "@milliner/core";

/**
 * Checks that a network holds together as data: names, an order in which each node comes after what it reads, and the
 * shape of each node against what its layer makes of its inputs. Networks of `network()` and `compact()` always do; one
 * that was written by hand or read from a file may not.
 *
 * @throws ConfigError BAD_NAME, DUPLICATE_NAME, UNKNOWN_INPUT, BAD_SIZE
 * @throws ShapeError SHAPE_MISMATCH
 */
export function checkNetwork(network: Network): void {
  checkSizes(network.inputShape, "the input's shape");
  const shapes = new Map<string, Shape>([[inputName, network.inputShape]]);
  for (const node of network.nodes) {
    // The names end up in the file, where "/" keeps the values that the exporter adds apart from the network's own.
    if (!/^[A-Za-z_][\w.-]*$/.test(node.name)) {
      throw new ConfigError(
        "BAD_NAME",
        `a layer's name has letters, digits, "_", "-" and ".", not ${JSON.stringify(node.name)}`,
      );
    }
    if (shapes.has(node.name)) {
      throw new ConfigError("DUPLICATE_NAME", `two layers are called "${node.name}"; give one another name`);
    }
    const inputs = node.inputs.map((name) => {
      const shape = shapes.get(name);
      if (shape !== undefined) return shape;
      throw new ConfigError("UNKNOWN_INPUT", `"${node.name}" reads "${name}", which no node before it makes`);
    });
    checkSizes(node.shape, `the shape of "${node.name}"`);
    const made = shapeMade(node, inputs);
    if (!sameShape(made, node.shape)) {
      throw new ShapeError(
        "SHAPE_MISMATCH",
        `"${node.name}" makes ${show(made)} but says that it makes ${show(node.shape)}`,
      );
    }
    shapes.set(node.name, node.shape);
  }
  if (!shapes.has(network.output)) {
    throw new ConfigError("UNKNOWN_INPUT", `the network's output "${network.output}" is the name of no node`);
  }
}

/**
 * Checks that every parameter of the network is there, has its shape, and holds finite numbers only.
 *
 * @throws ConfigError MISSING_PARAMETER
 * @throws ShapeError SHAPE_MISMATCH
 * @throws NumericError NOT_FINITE with the name of the parameter and the index of the element
 */
export function checkParameters(network: Network, parameters: Parameters): void {
  for (const { name, shape } of parameterSpecs(network)) {
    const parameter = parameters.get(name);
    if (parameter === undefined) {
      throw new ConfigError("MISSING_PARAMETER", `the network reads "${name}", which was not given`);
    }
    if (!sameShape(parameter.shape, shape)) {
      throw new ShapeError(
        "SHAPE_MISMATCH",
        `parameter "${name}" is [${parameter.shape.join(", ")}] but the network reads [${shape.join(", ")}]`,
      );
    }
    const { data } = parameter;
    for (let i = 0; i < data.length; i++) {
      if (Number.isFinite(data[i])) continue;
      throw new NumericError(
        "NOT_FINITE",
        `parameter "${name}" is ${data[i]} at element ${i} of ${data.length}; export a checkpoint from before it went wrong`,
      );
    }
  }
}

function shapeMade(node: LayerNode, inputs: readonly Shape[]): Shape {
  const { layer, name } = node;
  const wanted = layer.kind === "add" ? 2 : layer.kind === "concat" ? Math.max(1, inputs.length) : 1;
  if (inputs.length !== wanted) {
    throw new ConfigError(
      "UNKNOWN_INPUT",
      `${layer.kind} "${name}" reads ${wanted} value(s), but names ${inputs.length}`,
    );
  }
  const first = inputs[0]!;
  switch (layer.kind) {
    case "linear":
      checkSizes([layer.inputs, layer.outputs], `the sizes of "${name}"`);
      if (!sameShape(first, [layer.inputs])) mismatch(node, show([layer.inputs]), first);
      return [layer.outputs];
    case "conv2d": {
      checkSizes([layer.inputs, layer.outputs, ...layer.kernel, ...layer.stride], `the sizes of "${name}"`);
      checkSizes(layer.padding, `the padding of "${name}"`, 0);
      if (first.length !== 3 || first[2] !== layer.inputs)
        mismatch(node, `[n, height, width, ${layer.inputs}]`, first);
      const spatial = ([0, 1] as const).map((axis) =>
        windows(node, first[axis]! + 2 * layer.padding[axis], layer.kernel[axis], layer.stride[axis]),
      );
      return [...spatial, layer.outputs];
    }
    case "max-pool2d": {
      checkSizes([...layer.kernel, ...layer.stride], `the sizes of "${name}"`);
      if (first.length !== 3) mismatch(node, "[n, height, width, channels]", first);
      const spatial = ([0, 1] as const).map((axis) =>
        windows(node, first[axis]!, layer.kernel[axis], layer.stride[axis]),
      );
      return [...spatial, first[2]!];
    }
    case "relu":
    case "dropout":
      return first;
    case "flatten":
      return [elements(first)];
    case "add":
      if (!sameShape(first, inputs[1]!)) mismatch(node, show(first), inputs[1]!);
      return first;
    case "concat": {
      const outer = first.slice(0, -1);
      for (const other of inputs) {
        if (!sameShape(other.slice(0, -1), outer))
          mismatch(node, `[n, ${[...outer, "any"].join(", ")}]`, other);
      }
      return [...outer, inputs.reduce((sum, shape) => sum + shape.at(-1)!, 0)];
    }
    default:
      return layer satisfies never;
  }
}

function windows(node: LayerNode, size: number, kernel: number, stride: number): number {
  const count = Math.floor((size - kernel) / stride) + 1;
  if (count >= 1) return count;
  throw new ShapeError(
    "SHAPE_MISMATCH",
    `"${node.name}": a window of ${kernel} does not fit into ${size} pixels`,
  );
}

function checkSizes(sizes: readonly number[], what: string, least = 1): void {
  if (sizes.length > 0 && sizes.every((size) => Number.isSafeInteger(size) && size >= least)) return;
  throw new ConfigError(
    "BAD_SIZE",
    `${what} must be whole numbers from ${least} up, not [${sizes.join(", ")}]`,
  );
}

function mismatch(node: LayerNode, expected: string, found: Shape): never {
  throw new ShapeError(
    "SHAPE_MISMATCH",
    `${node.layer.kind} "${node.name}" expects ${expected} but gets ${show(found)}`,
  );
}

function show(shape: Shape): string {
  return `[n, ${shape.join(", ")}]`;
}
