/** Whether this machine stores numbers as ONNX's `raw_data` does. */
const nativeOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The bytes of numbers, each least significant first: a view where the machine stores them so, else a copy. */
export function littleEndianBytes(values: Float32Array | Int32Array | BigInt64Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (nativeOrder) return bytes;
  const size = values.BYTES_PER_ELEMENT;
  return bytes.map((_, i) => bytes[i - (i % size) + (size - 1 - (i % size))]!);
}
