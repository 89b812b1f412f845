import { types } from "node:util";
import { elements } from "@milliner/core";
import { littleEndianBytes } from "./little-endian.ts";
import { MessageWriter } from "./message-writer.ts";
import {
  attributeField,
  attributeType,
  dataType,
  dimensionField,
  entryField,
  graphField,
  modelField,
  nodeField,
  opsetField,
  shapeField,
  tensorField,
  tensorTypeField,
  typeField,
  valueInfoField,
} from "./schema.ts";

/** What the exporter writes: the part of ONNX that it needs, as data. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly initializers: readonly Initializer[];
  readonly input: GraphValue;
  readonly output: GraphValue;
}

/** One operation. Attributes are written in the order in which they stand here. */
export interface GraphNode {
  readonly name: string;
  readonly operation: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, number | readonly number[] | Constant>>;
}

/** Numbers that belong to an operation and are no parameter of the network, in the order of `shape`. */
export interface Constant {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | BigInt64Array;
}

/** A parameter of the network, in float32. */
export interface Initializer {
  readonly name: string;
  readonly shape: readonly number[];
  /** The elements in the order of `shape`; asked for once. */
  readonly values: () => Float32Array;
}

/** A value with a batch of any size before `shape`. */
export interface GraphValue {
  readonly name: string;
  readonly type: "float32" | "uint8";
  readonly shape: readonly number[];
  /** Whether its numbers are an image's, as ONNX has them: then the metadata says which. */
  readonly isImage?: boolean;
}

/** Opset 17 with IR 8: what onnxruntime reads from 1.12 or so on. */
export const opset = 17;
export const irVersion = 8;

/** The file, not yet as bytes: fields ascending, entries in the order given, neither date nor version of this package. */
export function encodeModel(
  graph: Graph,
  metadata: readonly (readonly [key: string, value: string])[],
): MessageWriter {
  const model = new MessageWriter()
    .integer(modelField.irVersion, irVersion)
    .string(modelField.producerName, "milliner")
    .message(modelField.graph, encodeGraph(graph))
    // The empty domain is the standard operators'; it is written, as the exporters of others do.
    .message(
      modelField.opsetImport,
      new MessageWriter().string(opsetField.domain, "").integer(opsetField.version, opset),
    );
  for (const [key, value] of metadata) {
    model.message(
      modelField.metadata,
      new MessageWriter().string(entryField.key, key).string(entryField.value, value),
    );
  }
  return model;
}

function encodeGraph(graph: Graph): MessageWriter {
  const message = new MessageWriter();
  for (const node of graph.nodes) message.message(graphField.node, encodeNode(node));
  message.string(graphField.name, graph.name);
  for (const initializer of graph.initializers)
    message.message(graphField.initializer, encodeTensor(initializer));
  return message
    .message(graphField.input, encodeValue(graph.input))
    .message(graphField.output, encodeValue(graph.output));
}

function encodeNode(node: GraphNode): MessageWriter {
  const message = new MessageWriter();
  for (const input of node.inputs) message.string(nodeField.input, input);
  message
    .string(nodeField.output, node.output)
    .string(nodeField.name, node.name)
    .string(nodeField.opType, node.operation);
  for (const [name, value] of Object.entries(node.attributes)) {
    const attribute = new MessageWriter().string(attributeField.name, name);
    if (typeof value === "number") {
      attribute.integer(attributeField.i, value).integer(attributeField.type, attributeType.int);
    } else if ("shape" in value) {
      attribute
        .message(attributeField.t, encodeConstant(value))
        .integer(attributeField.type, attributeType.tensor);
    } else {
      // Not packed: onnx.proto is proto2, where repeated numbers are unpacked unless they say otherwise.
      for (const one of value) attribute.integer(attributeField.ints, one);
      attribute.integer(attributeField.type, attributeType.ints);
    }
    message.message(nodeField.attribute, attribute);
  }
  return message;
}

function encodeTensor({ name, shape, values }: Initializer): MessageWriter {
  return tensorHead(shape, "float32")
    .string(tensorField.name, name)
    .payload(tensorField.rawData, { length: 4 * elements(shape), make: () => littleEndianBytes(values()) });
}

function encodeConstant({ shape, values }: Constant): MessageWriter {
  const type = types.isFloat32Array(values) ? "float32" : types.isInt32Array(values) ? "int32" : "int64";
  return tensorHead(shape, type).bytes(tensorField.rawData, littleEndianBytes(values));
}

function tensorHead(shape: readonly number[], type: keyof typeof dataType): MessageWriter {
  const message = new MessageWriter();
  for (const size of shape) message.integer(tensorField.dims, size);
  return message.integer(tensorField.dataType, dataType[type]);
}

function encodeValue({ name, type, shape, isImage = false }: GraphValue): MessageWriter {
  const dimensions = new MessageWriter().message(
    shapeField.dimension,
    new MessageWriter().string(dimensionField.parameter, "batch"),
  );
  for (const size of shape) {
    dimensions.message(shapeField.dimension, new MessageWriter().integer(dimensionField.value, size));
  }
  const tensor = new MessageWriter()
    .integer(tensorTypeField.elementType, dataType[type])
    .message(tensorTypeField.shape, dimensions);
  const whole = new MessageWriter().message(typeField.tensor, tensor);
  if (isImage) whole.string(typeField.denotation, "IMAGE");
  return new MessageWriter().string(valueInfoField.name, name).message(valueInfoField.type, whole);
}
