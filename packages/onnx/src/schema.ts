/**
 * The numbers of `onnx.proto` that this package writes or reads, by message. The same table serves the writer and the
 * reader; what is not here is skipped by the reader, within its bounds.
 */
export const modelField = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  graph: 7,
  opsetImport: 8,
  metadata: 14,
  trainingInfo: 20,
  functions: 25,
} as const;

export const opsetField = { domain: 1, version: 2 } as const;

export const entryField = { key: 1, value: 2 } as const;

export const graphField = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  valueInfo: 13,
  sparseInitializer: 15,
} as const;

export const nodeField = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const;

export const attributeField = {
  name: 1,
  i: 3,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  type: 20,
  sparseTensor: 22,
  sparseTensors: 23,
} as const;

/** Values of an attribute's field `type`. */
export const attributeType = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const;

export const tensorField = {
  dims: 1,
  dataType: 2,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  externalData: 13,
  dataLocation: 14,
} as const;

export const sparseTensorField = { values: 1, indices: 2, dims: 3 } as const;

export const valueInfoField = { name: 1, type: 2 } as const;

export const typeField = {
  tensor: 1,
  sequence: 4,
  map: 5,
  denotation: 6,
  sparseTensor: 8,
  optional: 9,
} as const;

export const tensorTypeField = { elementType: 1, shape: 2 } as const;

export const shapeField = { dimension: 1 } as const;

export const dimensionField = { value: 1, parameter: 2 } as const;

export const functionField = { node: 7, attribute: 11 } as const;

export const trainingField = { initialization: 1, algorithm: 2 } as const;

/** An element type: its name, and the bits of one element (0 for strings, whose sizes differ). */
export interface ElementType {
  readonly name: string;
  readonly bits: number;
}

/** Element types by their number in `TensorProto.data_type`. */
export const elementTypes: ReadonlyMap<number, ElementType> = new Map(
  (
    [
      [1, "float32", 32],
      [2, "uint8", 8],
      [3, "int8", 8],
      [4, "uint16", 16],
      [5, "int16", 16],
      [6, "int32", 32],
      [7, "int64", 64],
      [8, "string", 0],
      [9, "bool", 8],
      [10, "float16", 16],
      [11, "float64", 64],
      [12, "uint32", 32],
      [13, "uint64", 64],
      [14, "complex64", 64],
      [15, "complex128", 128],
      [16, "bfloat16", 16],
      [17, "float8e4m3fn", 8],
      [18, "float8e4m3fnuz", 8],
      [19, "float8e5m2", 8],
      [20, "float8e5m2fnuz", 8],
      [21, "uint4", 4],
      [22, "int4", 4],
      [23, "float4e2m1", 4],
      [24, "float8e8m0", 8],
      [25, "uint2", 2],
      [26, "int2", 2],
    ] as const
  ).map(([number, name, bits]) => [number, { name, bits }]),
);

/** `TensorProto.data_type` of the element types that are written. */
export const dataType = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;
