/**
 * Everything that happens in a run, as one stream of JSON lines. Progress bars, `--json`, the report and resuming read it.
 *
 * `step` counts the events of a run, 0 up, over interruptions; `progress` events are for the eye, are not written to
 * `events.jsonl` and bear the step of the event that comes next. `time` is the seconds that the run has been at work, on a
 * monotonic clock. `learner` says who is running: the method first, then one control after the other, each with a
 * `run-started` and a `run-ended` of its own.
 */
export type RunEvent = {
  readonly step: number;
  readonly time: number;
  readonly learner: string;
} & RunEventBody;

/** The kinds of events and what each carries. */
export type RunEventBody =
  | {
      readonly type: "run-started";
      readonly scenario: string;
      readonly learner: string;
      readonly tasks: number;
      readonly seed: number;
    }
  | { readonly type: "task-started"; readonly task: number; readonly name: string; readonly epochs: number }
  | {
      readonly type: "epoch-ended";
      readonly task: number;
      readonly epoch: number;
      readonly epochs: number;
      readonly lr: number;
      /** Both losses are means over images. That of training is each batch's before its step, with what the method adds to it. */
      readonly trainLoss: number;
      readonly validationLoss: number;
      readonly validationAccuracy: number;
    }
  | {
      readonly type: "progress";
      readonly task: number;
      readonly epoch: number;
      readonly epochs: number;
      readonly fraction: number;
    }
  | { readonly type: "capacity"; readonly task: number; readonly layers: readonly LayerCapacity[] }
  | { readonly type: "masks"; readonly task: number; readonly spaces: readonly SpaceMask[] }
  | {
      readonly type: "task-ended";
      readonly task: number;
      readonly seconds: number;
      readonly epochs: number;
      readonly notes: Readonly<Record<string, number>>;
    }
  | {
      readonly type: "evaluated";
      readonly learner: string;
      readonly afterTask: number;
      readonly accuracies: readonly number[];
      readonly bitExactOldLogits: boolean | null;
    }
  | {
      /** Tasks whose test logits a learner promised to keep and did not, and whether locked elements are what they were. */
      readonly type: "promise-broken";
      readonly afterTask: number;
      readonly tasks: readonly number[];
      readonly lockedUnchanged: boolean;
    }
  | { readonly type: "checkpoint"; readonly file: string }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "run-ended"; readonly acc: number };

/** Shares of one layer after a task: units used by any task, units of this task, elements locked for later tasks. 0..1. */
export interface LayerCapacity {
  readonly layer: string;
  readonly units: number;
  readonly used: number;
  readonly active: number;
  readonly locked: number;
}

/** The units of a task in one channel space, bit-packed: 32-bit words, least significant bit first, as base64. */
export interface SpaceMask {
  readonly space: string;
  readonly units: number;
  readonly bits: string;
}

/** Where events go. Must not throw and must not take long. */
export type EventSink = (event: RunEventBody) => void;
