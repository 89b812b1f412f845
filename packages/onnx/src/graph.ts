import { elements } from "@milliner/core";
import { littleEndianBytes } from "./little-endian.ts";
import { MessageWriter } from "./message-writer.ts";
import {
  attributeField,
  attributeType,
  dimensionField,
  entryField,
  float32Type,
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
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

/** A constant of float32. */
export interface Initializer {
  readonly name: string;
  readonly shape: readonly number[];
  /** The elements in the order of `shape`; asked for once. */
  readonly values: () => Float32Array;
}

/** A float32 value with a batch of any size before `shape`. */
export interface GraphValue {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Opset 17 with IR 8: what onnxruntime reads from 1.12 or so on. */
export const opset = 17;
export const irVersion = 8;

/** The file's bytes: fields ascending, entries in the order given, neither date nor version of this package. */
export function encodeModel(
  graph: Graph,
  metadata: readonly (readonly [key: string, value: string])[],
): Uint8Array {
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
  return model.finish();
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
  const message = new MessageWriter();
  for (const size of shape) message.integer(tensorField.dims, size);
  return message
    .integer(tensorField.dataType, float32Type)
    .string(tensorField.name, name)
    .payload(tensorField.rawData, { length: 4 * elements(shape), make: () => littleEndianBytes(values()) });
}

function encodeValue({ name, shape }: GraphValue): MessageWriter {
  const dimensions = new MessageWriter().message(
    shapeField.dimension,
    new MessageWriter().string(dimensionField.parameter, "batch"),
  );
  for (const size of shape) {
    dimensions.message(shapeField.dimension, new MessageWriter().integer(dimensionField.value, size));
  }
  const tensor = new MessageWriter()
    .integer(tensorTypeField.elementType, float32Type)
    .message(tensorTypeField.shape, dimensions);
  return new MessageWriter()
    .string(valueInfoField.name, name)
    .message(valueInfoField.type, new MessageWriter().message(typeField.tensor, tensor));
}
