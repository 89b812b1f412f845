import type { LearnerResult, RunEvent, RunResult } from "@milliner/continual";

/** What a report is made of: a run folder, read and narrowed. Every number in it is finite. */
export interface ReportInput {
  /** Name of the run folder, without the way to it. */
  readonly name: string;
  /** null where the run has not ended. */
  readonly result: ReportResult | null;
  readonly events: readonly ReportEvent[];
  /** The text of `run.yaml`, shown as it is. */
  readonly configuration: string | null;
  /** The exported models; null where none were exported. */
  readonly models: readonly ReportModel[] | null;
  /** What was odd about the files. */
  readonly remarks: readonly string[];
}

/** The figures of a learner that a report shows. */
export type ReportFigures = Pick<
  LearnerResult,
  | "acc"
  | "bwt"
  | "fwt"
  | "forgetting"
  | "matrix"
  | "bitExactOldLogits"
  | "lockedHash"
  | "lockedUnchanged"
  | "seconds"
  | "warnings"
> & { readonly tasks: readonly string[] };

/** What a report shows of `result.json`. */
export type ReportResult = ReportFigures &
  Pick<RunResult, "scenario" | "learner" | "seed" | "bitExactCheckedIn"> & {
    readonly controls: readonly (ReportFigures & { readonly learner: string })[];
  };

/** Losses and accuracies at the end of an epoch; null where they were not finite. */
export interface ReportEpoch {
  readonly type: "epoch-ended";
  readonly task: number;
  readonly epoch: number;
  readonly trainLoss: number | null;
  readonly validationLoss: number | null;
  readonly validationAccuracy: number | null;
}

type OfType<T extends RunEvent["type"]> = Extract<RunEvent, { readonly type: T }>;
type Body<T extends RunEvent["type"]> = Omit<OfType<T>, "step" | "time">;

/** The events that a report is drawn from. */
export type ReportEvent =
  | Pick<OfType<"run-started">, "type" | "learner" | "scenario" | "tasks" | "seed">
  | Pick<OfType<"task-started">, "type" | "learner" | "task" | "name">
  | (ReportEpoch & { readonly learner: string })
  | Body<"capacity">
  | Body<"masks">
  | Pick<OfType<"evaluated">, "type" | "learner" | "afterTask" | "accuracies" | "bitExactOldLogits">
  | Pick<OfType<"warning">, "type" | "learner" | "message">;

/** One exported model, as `verification.json` tells of it; null what it does not tell. */
export interface ReportModel {
  readonly task: number;
  readonly name: string;
  readonly file: string;
  readonly bytes: number | null;
  readonly denseBytes: number | null;
  readonly parameters: number | null;
  readonly denseParameters: number | null;
  /** What it is given, and the steps that it does to that before the network. */
  readonly input: string | null;
  readonly transform: readonly string[] | null;
  readonly images: number | null;
  readonly sameArgmax: number | null;
  readonly ties: number | null;
  readonly largestDifference: number | null;
  readonly ok: boolean | null;
}
