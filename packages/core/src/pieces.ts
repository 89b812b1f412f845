/** The largest piece: no system reads or writes 2 GiB at once, and no hash takes more. */
export const largestPieceBytes: number = 2 ** 30;

/** The bytes of an array of any size as views, one behind the other, each as small as files and hashes need it. */
export function* pieces(
  { buffer, byteOffset, byteLength }: ArrayBufferView,
  largestBytes: number = largestPieceBytes,
): Generator<Uint8Array> {
  for (let at = 0; at < byteLength; at += largestBytes)
    yield new Uint8Array(buffer, byteOffset + at, Math.min(largestBytes, byteLength - at));
}
