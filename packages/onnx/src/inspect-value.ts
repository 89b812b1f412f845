import { limits } from "./limits.ts";
import type { MessageReader } from "./message-reader.ts";
import {
  dimensionField,
  elementTypes,
  shapeField,
  tensorTypeField,
  typeField,
  valueInfoField,
} from "./schema.ts";

/** An input or output of a model. */
export interface ValueSummary {
  readonly name: string;
  /** `float32`, `int64`, ... or, for what is no tensor, `sequence`, `map`, `optional`, `sparse` or `unknown`. */
  readonly dtype: string;
  /** A number, a name for a size that is chosen when the model runs, or null for any; undefined where nothing is said. */
  readonly shape: readonly (number | string | null)[] | undefined;
}

/** Reads a ValueInfoProto. */
export function readValue(reader: MessageReader): ValueSummary {
  let name = "";
  let type: Omit<ValueSummary, "name"> = { dtype: "unknown", shape: undefined };
  let types = 0;
  while (reader.next()) {
    if (reader.field === valueInfoField.name) name = reader.text("the name of a value");
    if (reader.field !== valueInfoField.type) continue;
    if (++types > 1) reader.fail("REPEATED", "has a value of two types");
    type = readType(reader.message());
  }
  return { name, ...type };
}

function readType(reader: MessageReader): Omit<ValueSummary, "name"> {
  let found: Omit<ValueSummary, "name"> | undefined;
  const others = new Map<number, string>([
    [typeField.sequence, "sequence"],
    [typeField.map, "map"],
    [typeField.sparseTensor, "sparse"],
    [typeField.optional, "optional"],
  ]);
  while (reader.next()) {
    const other = others.get(reader.field);
    if (reader.field !== typeField.tensor && other === undefined) continue;
    if (found !== undefined) reader.fail("REPEATED", "has a value of two types");
    found = other === undefined ? readTensorType(reader.message()) : { dtype: other, shape: undefined };
  }
  return found ?? { dtype: "unknown", shape: undefined };
}

function readTensorType(reader: MessageReader): Omit<ValueSummary, "name"> {
  let dtype = "unknown";
  let shape: ValueSummary["shape"];
  while (reader.next()) {
    if (reader.field === tensorTypeField.elementType) {
      dtype = elementTypes.get(reader.count("the type of elements"))?.name ?? "unknown";
    } else if (reader.field === tensorTypeField.shape) {
      if (shape !== undefined) reader.fail("REPEATED", "has a value of two shapes");
      shape = readShape(reader.message());
    }
  }
  return { dtype, shape };
}

/** Whether a dimension is negative, as some exporters write a size that is chosen when the model runs. */
function isAnySize(dimension: MessageReader): boolean {
  return dimension.integer() < 0n;
}

function readShape(reader: MessageReader): (number | string | null)[] {
  const shape: (number | string | null)[] = [];
  while (reader.next()) {
    if (reader.field !== shapeField.dimension) continue;
    if (shape.length >= limits.rank)
      reader.limit("BAD_DIMENSION", `has a value of more than ${limits.rank} dimensions`);
    const dimension = reader.message();
    let size: number | string | null = null;
    while (dimension.next()) {
      if (dimension.field === dimensionField.value)
        size = isAnySize(dimension) ? null : dimension.count("a dimension");
      else if (dimension.field === dimensionField.parameter) size = dimension.text("the name of a dimension");
    }
    shape.push(size);
  }
  return shape;
}
