import { rangeInWords, type NumberRange, type Precision } from "@milliner/core";
import {
  annealings,
  compensations,
  protections,
  sMaxRange,
  type Annealing,
  type Compensation,
  type Protection,
} from "@milliner/hat";
import { z } from "zod";

/** How a data set becomes a sequence of tasks. */
export type ScenarioKind = "split" | "permuted";

/** The published data sets that the command knows by name. */
export type DatasetName = "mnist" | "fashion-mnist";

/** The methods to compare with. */
export type ControlName = "random-body" | "sgd-frozen" | "sgd" | "joint";

/** Everything that decides what a run computes, and so its bits. Every preset has a value for every key. */
export interface Settings {
  readonly scenario: ScenarioKind;
  /** The published data set to get where no folder is given. */
  readonly dataset: DatasetName | null;
  /** Folder of IDX files to read in place of the published data set. */
  readonly data: string | null;
  /** What black and white are in that folder's images, where their pixels are floats. */
  readonly range: readonly [number, number] | null;
  /** Every random number derives from it. */
  readonly seed: number;
  /** Number of tasks; null: what the scenario makes of the classes. */
  readonly tasks: number | null;
  /** Share of a task's training images that validate, 0..1. */
  readonly validation: number;
  /** Hidden layers of the body, and the units of each. */
  readonly layers: number;
  readonly width: number;
  /** Probability that dropout zeroes a pixel, and a hidden unit. */
  readonly inputDropout: number;
  readonly dropout: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  /** After `patience` epochs without a better validation loss, lr is divided by `lrFactor`; below `lrMin` a task ends. */
  readonly patience: number;
  readonly lrFactor: number;
  readonly lrMin: number;
  /** HAT: largest slope of the gates, and weight of the sparsity that leaves room for later tasks. */
  readonly sMax: number;
  readonly c: number;
  readonly protection: Protection;
  readonly compensation: Compensation;
  readonly annealing: Annealing;
  /**
   * What fully connected products are computed in. Where bf16 is not there it is float32, which `run.yaml` and `result.json`
   * then note.
   */
  readonly precision: Precision;
  readonly controls: readonly ControlName[];
}

/** What a value of one key may be: checked by the schema, told to people by the words. */
interface SettingSpec {
  readonly schema: z.ZodType;
  readonly expects: string;
  /** Of a number: what it is as a float32 counts, too. */
  readonly range?: NumberRange;
}

const controlNames = ["random-body", "sgd-frozen", "sgd", "joint"] as const;
const datasetNames = ["mnist", "fashion-mnist"] as const;

function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): SettingSpec {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
  return { schema: z.number().int().min(least).max(most), expects: `a whole number ${range}` };
}

function oneOf(values: readonly [string, ...string[]]): SettingSpec {
  return { schema: z.enum(values), expects: `one of ${values.join(", ")}` };
}

function orNull({ schema, expects }: SettingSpec): SettingSpec {
  return { schema: schema.nullable(), expects: `${expects}, or null` };
}

/** The range that the library holds it to, so that a file's line is named before anything begins. */
function number(range: NumberRange): SettingSpec {
  return { schema: z.number(), expects: rangeInWords(range), range };
}

const positive = number({ above: 0 });
const fromZero = number({ from: 0 });
const share = number({ from: 0, below: 1 });

/** The specification of every key, in the order in which they are printed. */
export const settingSpecs: Readonly<Record<keyof Settings, SettingSpec>> = {
  scenario: oneOf(["split", "permuted"]),
  dataset: orNull(oneOf([...datasetNames])),
  data: orNull({ schema: z.string().min(1), expects: "a folder" }),
  range: orNull({
    schema: z.tuple([z.number(), z.number()]).refine(([lowest, highest]) => lowest < highest),
    expects: "the lowest and the highest value of a pixel, such as [0, 1]",
  }),
  seed: whole(0),
  tasks: orNull(whole(1, 1000)),
  validation: share,
  layers: whole(1, 100),
  width: whole(1, 65_536),
  inputDropout: share,
  dropout: share,
  epochs: whole(1, 1_000_000),
  batchSize: whole(1, 1_000_000),
  lr: positive,
  patience: whole(1),
  lrFactor: number({ above: 1 }),
  lrMin: fromZero,
  sMax: number(sMaxRange),
  c: fromZero,
  protection: oneOf([...protections] as [string, ...string[]]),
  compensation: oneOf([...compensations] as [string, ...string[]]),
  annealing: oneOf([...annealings] as [string, ...string[]]),
  precision: oneOf(["float32", "bf16"]),
  controls: {
    schema: z.array(z.enum(controlNames)).refine((names) => new Set(names).size === names.length),
    expects: `a list of different names out of ${controlNames.join(", ")}, or none`,
  },
};

/** All keys, in the order in which they are printed. */
export const settingKeys: readonly (keyof Settings)[] = Object.keys(settingSpecs) as (keyof Settings)[];
