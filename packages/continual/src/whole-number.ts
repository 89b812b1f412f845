import { ConfigError } from "@milliner/core";

/** Whether a value, from wherever it is, is a whole number from `least` up. */
export function isWhole(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

/** @throws ConfigError (`BAD_VALUE`) for a setting that is none */
export function checkWhole(name: string, value: number, least: number): void {
  if (isWhole(value, least)) return;
  throw new ConfigError("BAD_VALUE", `${name} must be a whole number from ${least} up, not ${String(value)}`);
}
