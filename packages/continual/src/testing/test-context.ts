import type { RunEventBody } from "../events.ts";
import type { RunContext } from "../learner.ts";

/** A run context for tests: keeps the events, counts the pauses. */
export interface TestContext extends RunContext {
  readonly seen: RunEventBody[];
}

/** How a test context behaves. */
export interface TestContextOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Called at every end of an epoch. */
  readonly onCheckpoint?: () => Promise<void>;
  /** Called at every pause, before the signal is looked at. */
  readonly onPause?: () => void;
}

/** Makes a run context without a clock: every pause looks at the signal, none waits. */
export function testContext(options: TestContextOptions = {}): TestContext {
  const { seed = 1, signal = new AbortController().signal } = options;
  const seen: RunEventBody[] = [];
  return {
    seed,
    signal,
    seen,
    events: (event) => {
      seen.push(event);
    },
    pause: async () => {
      options.onPause?.();
      signal.throwIfAborted();
    },
    checkpoint: async () => {
      await options.onCheckpoint?.();
    },
  };
}
