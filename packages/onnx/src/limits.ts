/** What the reader accepts. Far above what any real model has, far below what would hurt. */
export const limits = {
  /** Messages inside messages; the file itself is the first. Google's parser stops at 100. */
  depth: 32,
  /** Nodes of all graphs and functions together. */
  nodes: 1_000_000,
  /** Bytes of a name: of a node, a value, an operation, a key. Paths of modules in modules come to some thousand. */
  nameBytes: 65_536,
  /** Bytes of a metadata value, such as the names of all classes. */
  textBytes: 16_777_216,
  /** Dimensions of a tensor; a product of more takes longer than it is worth. */
  rank: 64,
  /** Initialisers whose names are kept, to tell them from inputs. */
  initialisers: 1_000_000,
  /** Entries of each list in the summary (inputs, outputs, opsets, metadata, kinds of operations). */
  entries: 10_000,
  /** Tensors with their data in another file. */
  externalTensors: 100_000,
} as const;
