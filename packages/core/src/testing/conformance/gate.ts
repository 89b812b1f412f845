import type { Backend } from "../../backend/backend.ts";
import { isIntact, Numbers, poisoned } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { check, checkNear, checkSame } from "./check.ts";

// Rules of gateBackward; gateForward calls the official one 1.
const [windowed, straight, official, off] = [0, 1, 2, 3];
const ulp = 2 ** -23;
const counts = [0, 1, 17, 131];

// Embeddings in [-6, 6), where the clamp keeps them.
function embeddings(numbers: Numbers, count: number): Float32Array {
  return numbers.floats(count).map((v) => 6 * v);
}

function backward(
  backend: Backend,
  da: Float32Array,
  e: Float32Array,
  s: number,
  rule: number,
): Float32Array {
  const q = poisoned(e.length);
  backend.kernels.gateBackward(da, e, q, s, 400, rule);
  check(isIntact(q), () => "something outside of q was written");
  return q;
}

export const gateClaims: Claims = {
  "gateForward is the sigmoid of s e within 2.4 ulp; windowed, it is +0 left of -50": (backend) => {
    const numbers = new Numbers(50);
    for (const count of counts) {
      for (const s of [1 / 400, 1, 20, 400]) {
        for (const rule of [0, 1]) {
          const [e, a] = [embeddings(numbers, count), poisoned(count)];

          backend.kernels.gateForward(e, a, s, rule!);

          e.forEach((value, i) => {
            const x = Math.fround(Math.fround(s) * value);
            const what = (): string => `gateForward of e ${value}, s ${s}, rule ${rule}`;
            if (rule === windowed && x < -50) checkSame(a[i]!, 0, what);
            else if (x > -87)
              checkNear(a[i]!, 1 / (1 + Math.exp(-x)), (2.4 * ulp) / (1 + Math.exp(-x)), what);
            if (x > 16.64) checkSame(a[i]!, 1, what);
          });
          check(isIntact(a), () => "something outside of a was written");
        }
      }
    }
  },

  "gateBackward, windowed and straight, is s_max sigmoid'(e): equation (F); windowed, +0 outside": (
    backend,
  ) => {
    const numbers = new Numbers(51);
    for (const count of counts) {
      for (const s of [1 / 400, 1, 5, 40, 400]) {
        for (const rule of [windowed, straight]) {
          const [da, e] = [numbers.floats(count), embeddings(numbers, count)];

          const q = backward(backend, da, e, s, rule!);

          e.forEach((value, i) => {
            const x = s * value;
            const what = (): string => `gateBackward of e ${value}, s ${s}, rule ${rule}`;
            if (rule === windowed && (x <= -50.01 || x >= 16.64)) checkSame(q[i]!, 0, what);
            else if (rule === straight || (x > -49.99 && x < 16.63)) {
              const wanted = (400 * da[i]!) / (2 * (Math.cosh(value) + 1));
              checkNear(q[i]!, wanted, 4.5 * ulp * Math.abs(wanted), what);
            }
          });
        }
      }
    }
  },

  "gateBackward, official and off, is the chain rule with and without the factor of (B'), where 1 - a has digits":
    (backend) => {
      const numbers = new Numbers(52);
      for (const count of counts) {
        for (const s of [1 / 400, 1, 5, 40]) {
          for (const rule of [official, off]) {
            const [da, e] = [numbers.floats(count), embeddings(numbers, count)];

            const q = backward(backend, da, e, s, rule!);

            e.forEach((value, i) => {
              const x = s * value;
              if (Math.abs(x) > 8) return; // beyond, 1 - a is a small multiple of 2^-24
              const a = 1 / (1 + Math.exp(-x));
              const factor = rule === off ? 1 : ((400 / s) * (Math.cosh(x) + 1)) / (Math.cosh(value) + 1);
              const wanted = da[i]! * s * a * (1 - a) * factor;
              // At s e = 8 the distance 1 - a is 3e-4 and its rounding 2^-25 or so: 2e-4 of it.
              checkNear(
                q[i]!,
                wanted,
                4e-4 * Math.abs(wanted),
                () => `gateBackward of e ${value}, s ${s}, rule ${rule}`,
              );
            });
          }
        }
      }
    },

  "gateBackward, official, gives the published arithmetic's values, noise and zeros included": (backend) => {
    // e, s, q of the published code for dL/da = 1, s_max = 400, and the difference between libraries' exp that is allowed.
    const rows = [
      [0.5, 0.0025, 94.0014954, 1e-5],
      [1, 4, 78.6448975, 1e-5],
      [1, 10, 78.6809311, 2e-3],
      [1, 17, 0, 0],
      [-1, 49, 78.644783, 1e-5],
      [-1, 55, 0.529904306, 1e-4],
      [-1, 60, 0.00357046677, 1e-4],
    ] as const;
    for (const [e, s, wanted, tolerance] of rows) {
      const [q] = backward(backend, Float32Array.of(1), Float32Array.of(e), s, official!);

      checkNear(q!, wanted, tolerance * wanted, () => `the official gradient at e ${e}, s ${s}`);
    }
  },
};
