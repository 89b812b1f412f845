import { InvalidArgumentError, Option } from "commander";
import type { DeviceName } from "@milliner/core";

/** What computes: the options that several commands share, and how their values are read. */
export interface ComputeFlags {
  readonly device?: DeviceName;
  readonly threads?: number;
}

export function deviceOption(): Option {
  return new Option("--device <name>", "what computes").choices(["cpu", "cuda", "reference"]);
}

export function threadsOption(): Option {
  return new Option("--threads <n>", "threads; default: all processors").argParser(wholeFrom(1));
}

export function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} up.`);
  };
}

/** `A..B`, both included. */
export function seedRange(text: string): readonly number[] {
  const match = /^(\d{1,15})\.\.(\d{1,15})$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || last < first)
    throw new InvalidArgumentError("It must be A..B with A not above B, for example 0..4.");
  if (last - first >= 1000) throw new InvalidArgumentError("At most 1000 seeds at a time.");
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** A path. The empty text of a variable that is not set would be the folder that one happens to stand in. */
export function givenPath(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("It is empty: is a variable not set?");
}
