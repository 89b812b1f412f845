const bits = new DataView(new ArrayBuffer(8));

// The neighbour of a double whose last bit is 0, away from zero or towards it: the one with last bit 1.
function oddNeighbour(x: number, away: boolean): number {
  bits.setFloat64(0, x);
  bits.setBigInt64(0, bits.getBigInt64(0) + (away ? 1n : -1n));
  return bits.getFloat64(0);
}

function isEven(x: number): boolean {
  bits.setFloat64(0, x);
  return (bits.getUint8(7) & 1) === 0;
}

/**
 * `a * b + c` of float32 numbers with one rounding to float32, without an fma instruction; subnormals as IEEE 754 has them.
 *
 * The product is exact in double (24 + 24 bits); the sum is rounded to double and then to float32, and the first rounding can
 * land on a tie of the second. So the first one rounds to odd (Boldo and Melquiond 2008): where two-sum finds a rest, the
 * last bit is made 1, which no tie of the 24-bit format has.
 */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const rest = product - (sum - part) + (c - part);
  if (rest === 0 || !Number.isFinite(sum) || !isEven(sum)) return Math.fround(sum);
  return Math.fround(oddNeighbour(sum, rest > 0 === sum > 0));
}
