import { ConfigError, type Backend, type Network } from "@milliner/core";
import { publishedSchedule, type Schedule } from "@milliner/continual";
import { annealings, type Annealing } from "./annealing.ts";
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
  /** Largest slope of the gates, > 0. Default 400. */
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

function oneOf<T extends string>(name: string, value: T, known: readonly T[]): T {
  if (known.includes(value)) return value;
  throw new ConfigError("BAD_VALUE", `${name} must be one of ${known.join(", ")}, not "${value}"`);
}

/** Fills in the defaults and refuses values that make no sense. @throws ConfigError */
export function hatSettings(options: HatOptions): HatSettings {
  const { body, backend, seed, schedule = publishedSchedule, sMax = 400, c = 0.75 } = options;
  const { protection = "min", compensation = "windowed", annealing = "linear", sleep = true } = options;
  if (!(sMax > 0 && Number.isFinite(sMax)))
    throw new ConfigError("BAD_VALUE", `sMax must be a positive number, not ${sMax}`);
  if (!(c >= 0 && Number.isFinite(c)))
    throw new ConfigError("BAD_VALUE", `c must be a number from 0 up, not ${c}`);
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
