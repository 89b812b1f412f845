/** How the elements of an IDX file are stored. */
export interface ElementType {
  readonly type: string;
  readonly bytes: number;
  readonly areFloats: boolean;
  /** Of a type with a sign: what to do about a number below 0, where that helps. */
  readonly belowZero?: string;
  readonly read: (view: DataView, at: number) => number;
}

export const unsignedBytes: ElementType = {
  type: "unsigned bytes",
  bytes: 1,
  areFloats: false,
  read: (view, at) => view.getUint8(at),
};

/** The third byte of the magic number: the type of the elements, which have their high byte first. */
export const elementTypes: ReadonlyMap<number, ElementType> = new Map([
  [0x08, unsignedBytes],
  [
    0x09,
    {
      type: "signed bytes",
      bytes: 1,
      areFloats: false,
      belowZero:
        "they are unsigned bytes under the type code of signed ones: write type code 0x08 in place of 0x09",
      read: (view, at) => view.getInt8(at),
    },
  ],
  [0x0b, { type: "16-bit integers", bytes: 2, areFloats: false, read: (view, at) => view.getInt16(at) }],
  [0x0c, { type: "32-bit integers", bytes: 4, areFloats: false, read: (view, at) => view.getInt32(at) }],
  [0x0d, { type: "32-bit floats", bytes: 4, areFloats: true, read: (view, at) => view.getFloat32(at) }],
  [0x0e, { type: "64-bit floats", bytes: 8, areFloats: true, read: (view, at) => view.getFloat64(at) }],
]);
