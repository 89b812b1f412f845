import { endingSignals, Interrupted, type EndingSignal } from "../exit-status.ts";

// A terminal hands Ctrl-C to every process of the group, and npm and npx pass theirs on: what comes within this time was meant
// once.
const onceSeconds = 1;

/**
 * Runs `work` with a signal that the first Ctrl-C aborts (or SIGTERM, or SIGHUP of a terminal that is closed), so that a run can
 * end with a checkpoint. One that comes later gives up waiting for that: somebody means it.
 *
 * @param clock - seconds on a monotonic clock
 * @throws Interrupted, in place of whatever an abort made fail in passing
 */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  clock: () => number = () => performance.now() / 1000,
): Promise<T> {
  const controller = new AbortController();
  let abortedAt = 0;
  let giveUp!: (reason: Interrupted) => void;
  const givenUp = new Promise<never>((_, reject) => (giveUp = reject));
  const listener = (name: NodeJS.Signals): void => {
    const signal = name as EndingSignal;
    if (!controller.signal.aborted) {
      abortedAt = clock();
      controller.abort(new Interrupted(signal));
    } else if (clock() - abortedAt >= onceSeconds) giveUp(new Interrupted(signal, true));
  };
  for (const name of Object.keys(endingSignals)) process.on(name, listener);
  try {
    return await Promise.race([work(controller.signal), givenUp]);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    for (const name of Object.keys(endingSignals)) process.off(name, listener);
  }
}
