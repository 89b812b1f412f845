import { ConfigError } from "./errors.ts";

/** What a number may be: above or from its least, and up to or below its greatest. */
export interface NumberRange {
  readonly above?: number;
  readonly from?: number;
  readonly upTo?: number;
  readonly below?: number;
}

/** The smallest positive number that is computed with: kernels read and write subnormals as zero. */
export const smallestNormal: number = 2 ** -126;

/**
 * Refuses a setting outside its range, also where it is so only as the float32 that is computed with: 1e-320 is 0 there, 1e308
 * is infinite, and 1 - 1e-12 is 1.
 *
 * @param name - of the setting, as messages call it
 * @throws ConfigError, with this code, that names the setting, its value and its range
 */
export function checkNumber(name: string, value: number, range: NumberRange, code = "BAD_VALUE"): void {
  const float = Math.abs(Math.fround(value)) < smallestNormal ? 0 : Math.fround(value);
  if (isInside(value, range) && isInside(float, range) && (float !== 0 || value === 0)) return;
  const asFloat =
    isInside(value, range) && Number.isFinite(value)
      ? `, which is ${float} as the float32 that is computed with`
      : "";
  throw new ConfigError(code, `${name} must be ${rangeInWords(range)}, not ${value}${asFloat}`);
}

function isInside(value: number, { above, from, upTo, below }: NumberRange): boolean {
  return (
    Number.isFinite(value) &&
    (above === undefined || value > above) &&
    (from === undefined || value >= from) &&
    (upTo === undefined || value <= upTo) &&
    (below === undefined || value < below)
  );
}

/** As in "must be a number above 0". */
export function rangeInWords({ above, from, upTo, below }: NumberRange): string {
  const short = (bound: number): string =>
    Number.isInteger(bound) && bound < 1e6 ? String(bound) : bound.toPrecision(3);
  const least =
    "a number" +
    (above !== undefined ? ` above ${short(above)}` : from !== undefined ? ` from ${short(from)}` : "");
  if (upTo !== undefined) return `${least} up to ${short(upTo)}`;
  if (below !== undefined) return `${least} up to, but not, ${short(below)}`;
  return from === undefined ? least : `${least} up`;
}
