import {
  addEntry,
  readSparseTensor,
  readTensor,
  type ExternalData,
  type TensorSummary,
} from "./inspect-tensor.ts";
import { limits } from "./limits.ts";
import { readValue, type ValueSummary } from "./inspect-value.ts";
import { MessageReader } from "./message-reader.ts";
import {
  attributeField,
  attributeType,
  functionField,
  graphField,
  modelField,
  nodeField,
  opsetField,
  sparseTensorField,
  tensorField,
  trainingField,
} from "./schema.ts";

/** What a model says of itself. Names and metadata are the file's own text: `printable` before they reach a terminal. */
export interface ModelSummary {
  /** As given to `inspectModel`. */
  readonly name: string;
  readonly bytes: number;
  readonly irVersion: number;
  /** Version of the standard operators; undefined when the model names only others'. */
  readonly opset: number | undefined;
  /** Versions by domain; the standard operators' is `ai.onnx`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly producerVersion: string;
  readonly graph: string;
  /** What has to be given when the model runs: inputs that have an initialiser are weights. */
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  /** Nodes of all graphs, also of those inside `If` and `Loop`, and of functions. */
  readonly nodes: number;
  /** How many nodes there are of each operation, by name; those of other domains are called `DOMAIN.NAME`. */
  readonly operations: ReadonlyMap<string, number>;
  /** Elements of all initialisers of all graphs, wherever their data lies. */
  readonly parameters: number;
  /** Elements of all nodes `Constant`, where some exporters put weights, and ours the numbers of a transform. */
  readonly constants: number;
  readonly metadata: ReadonlyMap<string, string>;
  /** Tensors whose data lies in other files. Those were not opened. */
  readonly externalData: readonly ExternalData[];
}

/**
 * Reads what a model says of itself, without trusting it: lengths are held to the message around them, sizes to the bytes
 * that are there, and nesting, names and counts to limits, before memory is taken. Weights are skipped where they lie, and
 * no other file is opened. What it accepts is well formed as far as it was read; whether the graph makes sense is for a
 * runtime to say.
 *
 * @param bytes - the whole file; not changed and not kept
 * @param name - what errors call the file
 * @throws OnnxError with the byte at which the file goes wrong; the codes stand at the class
 */
export function inspectModel(bytes: Uint8Array, name: string): ModelSummary {
  return new Inspector(name).model(bytes);
}

class Inspector {
  readonly #name: string;
  readonly #operations = new Map<string, number>();
  readonly #external: ExternalData[] = [];
  #nodes = 0;
  #parameters = 0;
  #constants = 0;

  constructor(name: string) {
    this.#name = name;
  }

  model(bytes: Uint8Array): ModelSummary {
    const reader = new MessageReader(this.#name, bytes);
    const opsets = new Map<string, number>();
    const metadata = new Map<string, string>();
    let [irVersion, producer, producerVersion] = [0, "", ""];
    let graph: ReturnType<Inspector["graph"]> | undefined;
    while (reader.next()) {
      switch (reader.field) {
        case modelField.irVersion:
          irVersion = reader.count("the version of the format");
          break;
        case modelField.producerName:
          producer = reader.text("the name of a producer");
          break;
        case modelField.producerVersion:
          producerVersion = reader.text("the version of a producer");
          break;
        case modelField.graph:
          // Protobuf would merge the two, so that readers see another model than the one that runs.
          if (graph !== undefined) reader.fail("REPEATED", "has a second graph");
          graph = this.graph(reader.message(), initialiserNames(reader.message()));
          break;
        case modelField.opsetImport:
          addOpset(reader, opsets);
          break;
        case modelField.metadata:
          addEntry(reader, metadata, "metadata");
          break;
        case modelField.trainingInfo:
          this.#training(reader.message());
          break;
        case modelField.functions:
          this.#function(reader.message());
          break;
      }
    }
    if (graph === undefined || irVersion === 0) {
      return reader.fail(
        "NOT_A_MODEL",
        graph === undefined ? "ends without a graph" : "ends without a version of the format",
      );
    }
    return {
      name: this.#name,
      bytes: bytes.length,
      irVersion,
      opset: opsets.get(standardDomain),
      opsets,
      producer,
      producerVersion,
      graph: graph.name,
      inputs: graph.inputs,
      outputs: graph.outputs,
      nodes: this.#nodes,
      operations: this.#operations,
      parameters: this.#parameters,
      constants: this.#constants,
      metadata,
      externalData: this.#external,
    };
  }

  /** @param given - names of inputs that are not listed, for they have a value; they are of any number */
  graph(
    reader: MessageReader,
    given: ReadonlySet<string> = new Set(),
  ): { name: string; inputs: ValueSummary[]; outputs: ValueSummary[] } {
    const [inputs, outputs]: [ValueSummary[], ValueSummary[]] = [[], []];
    let name = "";
    while (reader.next()) {
      switch (reader.field) {
        case graphField.node:
          this.#node(reader.message());
          break;
        case graphField.name:
          name = reader.text("the name of a graph");
          break;
        case graphField.initializer:
          this.#initializer(reader, readTensor(reader.message()));
          break;
        case graphField.sparseInitializer:
          for (const part of readSparseTensor(reader.message())) this.#initializer(reader, part);
          break;
        case graphField.input:
        case graphField.output: {
          const value = readValue(reader.message());
          const isInput = reader.field === graphField.input;
          if (isInput && given.has(value.name)) break;
          const list = isInput ? inputs : outputs;
          if (list.length >= limits.entries)
            reader.limit("TOO_MANY", `has more than ${limits.entries} inputs or outputs`);
          list.push(value);
          break;
        }
      }
    }
    return { name, inputs, outputs };
  }

  #initializer(reader: MessageReader, tensor: TensorSummary): void {
    this.#parameters = sum(reader, this.#parameters, tensor.elements);
    this.#keep(reader, tensor);
  }

  #keep(reader: MessageReader, { external }: TensorSummary): void {
    if (external === undefined) return;
    if (this.#external.length >= limits.externalTensors) {
      reader.limit("TOO_MANY", `keeps more than ${limits.externalTensors} tensors in other files`);
    }
    this.#external.push(external);
  }

  #node(reader: MessageReader): void {
    if (++this.#nodes > limits.nodes) reader.limit("TOO_MANY", `has more than ${limits.nodes} nodes`);
    let [operation, domain, elements] = ["", "", 0];
    while (reader.next()) {
      switch (reader.field) {
        case nodeField.input:
        case nodeField.output:
        case nodeField.name:
          reader.text("a name in a node");
          break;
        case nodeField.opType:
          operation = reader.text("the name of an operation");
          break;
        case nodeField.domain:
          domain = reader.text("the domain of an operation");
          break;
        case nodeField.attribute:
          elements += this.#attribute(reader.message());
          break;
      }
    }
    const key = domain === "" || domain === standardDomain ? operation : `${domain}.${operation}`;
    if (key === "Constant") this.#constants = sum(reader, this.#constants, elements);
    if (!this.#operations.has(key) && this.#operations.size >= limits.entries) {
      reader.limit("TOO_MANY", `has more than ${limits.entries} kinds of operations`);
    }
    this.#operations.set(key, (this.#operations.get(key) ?? 0) + 1);
  }

  /** @returns how many elements the attribute holds */
  #attribute(reader: MessageReader): number {
    let elements = 0;
    const tensor = (found: TensorSummary): void => {
      elements += found.elements;
      this.#keep(reader, found);
    };
    while (reader.next()) {
      switch (reader.field) {
        case attributeField.name:
          reader.text("the name of an attribute");
          break;
        case attributeField.t:
        case attributeField.tensors:
          tensor(readTensor(reader.message()));
          break;
        case attributeField.sparseTensor:
        case attributeField.sparseTensors:
          readSparseTensor(reader.message()).forEach(tensor);
          break;
        case attributeField.floats:
          elements += reader.countFixed(4);
          break;
        case attributeField.ints:
          elements += reader.countVarints();
          break;
        case attributeField.strings:
          reader.bytes();
          elements++;
          break;
        case attributeField.type:
          // One number or text: a value of 0 may not be written at all, its type is.
          if (singleTypes.has(reader.count("the type of an attribute"))) elements++;
          break;
        case attributeField.g:
        case attributeField.graphs:
          this.graph(reader.message());
          break;
      }
    }
    return elements;
  }

  #function(reader: MessageReader): void {
    while (reader.next()) {
      if (reader.field === functionField.node) this.#node(reader.message());
      else if (reader.field === functionField.attribute) this.#attribute(reader.message());
    }
  }

  #training(reader: MessageReader): void {
    while (reader.next()) {
      if (reader.field === trainingField.initialization || reader.field === trainingField.algorithm) {
        this.graph(reader.message());
      }
    }
  }
}

const standardDomain = "ai.onnx";

const singleTypes: ReadonlySet<number> = new Set([
  attributeType.float,
  attributeType.int,
  attributeType.string,
]);

/**
 * Names of a graph's initialisers. Before version 4 of the format each of them had to be an input too, and some exporters go on so,
 * that a runtime may replace them.
 */
function initialiserNames(reader: MessageReader): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (tensor: MessageReader): void => {
    while (tensor.next()) if (tensor.field === tensorField.name) names.add(tensor.text("a name of a tensor"));
    if (names.size > limits.initialisers)
      tensor.limit("TOO_MANY", `has more than ${limits.initialisers} initialisers`);
  };
  while (reader.next()) {
    if (reader.field === graphField.initializer) add(reader.message());
    if (reader.field !== graphField.sparseInitializer) continue;
    const sparse = reader.message();
    while (sparse.next()) if (sparse.field === sparseTensorField.values) add(sparse.message());
  }
  return names;
}

function sum(reader: MessageReader, elements: number, more: number): number {
  if (elements + more <= Number.MAX_SAFE_INTEGER) return elements + more;
  return reader.fail("BAD_DIMENSION", "has more than 2^53 parameters");
}

function addOpset(reader: MessageReader, opsets: Map<string, number>): void {
  const entry = reader.message();
  let [domain, version] = ["", 0];
  while (entry.next()) {
    if (entry.field === opsetField.domain) domain = entry.text("the domain of an opset");
    else if (entry.field === opsetField.version) version = entry.count("the version of an opset");
  }
  if (domain === "") domain = standardDomain;
  if (opsets.has(domain) && opsets.get(domain) !== version)
    reader.fail("REPEATED", `gives two versions of the opset of ${JSON.stringify(domain)}`);
  if (opsets.size >= limits.entries) reader.limit("TOO_MANY", `has more than ${limits.entries} opsets`);
  opsets.set(domain, version);
}
