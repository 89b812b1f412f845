import { Interrupted } from "../exit-status.ts";

/**
 * Runs `work` with a signal that the first Ctrl-C (or SIGTERM) aborts, so that a run can end with a checkpoint. The second one
 * ends the process at once: somebody means it.
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const listener = (name: NodeJS.Signals): void => {
    const signal = name === "SIGTERM" ? "SIGTERM" : "SIGINT";
    if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
    controller.abort(new Interrupted(signal));
  };
  process.on("SIGINT", listener).on("SIGTERM", listener);
  try {
    return await work(controller.signal);
  } catch (error) {
    // Whatever an abort made fail in passing, the reason is the interruption.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    process.off("SIGINT", listener).off("SIGTERM", listener);
  }
}
