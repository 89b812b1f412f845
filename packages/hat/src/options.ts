import {
  checkKeys,
  checkNumber,
  ConfigError,
  type OptionKeys,
  type Backend,
  type Network,
} from "@milliner/core";
import { checkSchedule, publishedSchedule, type Schedule } from "@milliner/continual";
import { annealings, checkSMax, type Annealing } from "./annealing.ts";
import { compensations, type Compensation } from "./compensation.ts";
import { protections, type Protection } from "./protection.ts";

/** What `Hat` is made of. Defaults are the paper's, Serrà et al. 2018, section 3. */
export interface HatOptions {
  /** The gated layers; every linear and convolutional layer in it gets gates. Heads are added per task. */
  readonly body: Network;
  readonly backend: Backend;
  /** Initial weights derive from it; training derives from the run's seed. */
  readonly seed: number;
  readonly schedule?: Schedule | undefined;
  /** Largest slope of the gates, from 1 up. Default 400. */
  readonly sMax?: number | undefined;
  /** Compressibility, >= 0. Default 0.75, for the published schedule: a short one needs more (`compressibilityFor`). */
  readonly c?: number | undefined;
  /** Default `min`, the paper's rule. */
  readonly protection?: Protection | undefined;
  /** Default `windowed`. */
  readonly compensation?: Compensation | undefined;
  /** Default `linear`. */
  readonly annealing?: Annealing | undefined;
  /** Leave units that are asleep out of the steps, see `Sleep`; in bf16 none is. Bits do not depend on it. Default true. */
  readonly sleep?: boolean | undefined;
}

/** `HatOptions` with every default filled in. */
export interface HatSettings {
  readonly body: Network;
  readonly backend: Backend;
  readonly seed: number;
  readonly schedule: Schedule;
  readonly sMax: number;
  readonly c: number;
  readonly protection: Protection;
  readonly compensation: Compensation;
  readonly annealing: Annealing;
  readonly sleep: boolean;
}

const hatKeys: OptionKeys<HatOptions> = {
  body: true,
  backend: true,
  seed: true,
  schedule: true,
  sMax: true,
  c: true,
  protection: true,
  compensation: true,
  annealing: true,
  sleep: "switch",
};

function oneOf<T extends string>(name: string, value: T, known: readonly T[]): T {
  if (known.includes(value)) return value;
  throw new ConfigError("BAD_VALUE", `${name} must be one of ${known.join(", ")}, not "${value}"`);
}

/** Fills in the defaults and refuses values that make no sense. @throws ConfigError */
export function hatSettings(options: HatOptions): HatSettings {
  checkKeys("Hat", options, hatKeys);
  const { body, backend, seed, schedule = publishedSchedule, sMax = 400, c = 0.75 } = options;
  const { protection = "min", compensation = "windowed", annealing = "linear", sleep = true } = options;
  checkSchedule(schedule);
  checkSMax(sMax);
  checkNumber("c", c, { from: 0 });
  // The regulariser's pull on an embedding is c sMax sigmoid'(e) / D, times lr in a step.
  if (!Number.isFinite(Math.fround(c * sMax * Math.max(1, schedule.lr)))) {
    throw new ConfigError(
      "BAD_VALUE",
      `c ${c}, sMax ${sMax} and lr ${schedule.lr} make steps of the embeddings beyond float32; make one of them smaller`,
    );
  }
  return {
    body,
    backend,
    seed,
    schedule,
    sMax,
    c,
    protection: oneOf("protection", protection, protections),
    compensation: oneOf("compensation", compensation, compensations),
    annealing: oneOf("annealing", annealing, annealings),
    sleep,
  };
}
