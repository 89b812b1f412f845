import { mkdirSync, writeFileSync } from "node:fs";

/** The JSON text of some results. */
export function resultsText(results: object): string {
  return `${JSON.stringify(results, rounded, 2)}\n`;
}

/** Keeps results in results/NAME.json, from which the tables in README and docs are made. */
export function writeResults(name: string, results: object): void {
  const folder = new URL("../results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${name}.json`, folder), resultsText(results));
}

/** Four digits are more than any of these measurements has. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
