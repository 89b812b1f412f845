/** Whether this machine stores numbers as ONNX's `raw_data` does. */
const nativeOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The bytes of float32 numbers, least significant first: a view where the machine stores them so, else a copy. */
export function littleEndianBytes(values: Float32Array): Uint8Array {
  if (nativeOrder) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bytes = new Uint8Array(values.byteLength);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setFloat32(4 * i, value, true));
  return bytes;
}
