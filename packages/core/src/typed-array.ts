interface TypedArrays {
  readonly Uint8Array: Uint8Array;
  readonly Int8Array: Int8Array;
  readonly Uint16Array: Uint16Array;
  readonly Int16Array: Int16Array;
  readonly Uint32Array: Uint32Array;
  readonly Int32Array: Int32Array;
  readonly Float32Array: Float32Array;
  readonly Float64Array: Float64Array;
  readonly BigUint64Array: BigUint64Array;
  readonly BigInt64Array: BigInt64Array;
}

export type TypedArrayKind = keyof TypedArrays;

/**
 * Whether a value is a typed array of this kind, of whatever realm: an array of the addon's or of Node's is no `instanceof` the
 * `Float32Array` of a `node:vm` context (and with it of Jest). `types` of node:util says the same where there is Node.
 */
export function isTypedArray<K extends TypedArrayKind>(value: unknown, kind: K): value is TypedArrays[K] {
  return Object.prototype.toString.call(value) === `[object ${kind}]`;
}
