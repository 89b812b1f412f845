import { expect, test } from "vitest";
import { Interrupted } from "../exit-status.ts";
import { untilInterrupted } from "./interruption.ts";

/** Work that is told to stop, and then takes as long as the test says. */
function slowToStop(): {
  readonly work: (signal: AbortSignal) => Promise<string>;
  readonly stop: () => void;
} {
  let stop!: () => void;
  const stopped = new Promise<void>((done) => (stop = done));
  const work = async (signal: AbortSignal): Promise<string> => {
    await stopped;
    signal.throwIfAborted();
    return "done";
  };
  return { work, stop };
}

// The listeners are those of this process; nothing is sent to it.
function send(signal: NodeJS.Signals): void {
  process.emit(signal, signal);
}

test("a signal that comes twice at once lets the work end in its own way", async () => {
  const { work, stop } = slowToStop();
  let now = 10;
  const ended = untilInterrupted(work, () => now);

  send("SIGTERM");
  now += 0.05;
  send("SIGTERM");
  now += 0.9;
  send("SIGINT");
  stop();

  await expect(ended).rejects.toMatchObject({ name: "Interrupted", signal: "SIGTERM", atOnce: false });
});

test("a signal that comes again later does not wait for the work", async () => {
  const { work } = slowToStop();
  let now = 10;
  const ended = untilInterrupted(work, () => now);

  send("SIGINT");
  now += 1;
  send("SIGTERM");

  await expect(ended).rejects.toMatchObject({ name: "Interrupted", signal: "SIGTERM", atOnce: true });
});

test("without a signal the work's own end counts, and no listener is left", async () => {
  const before = process.listenerCount("SIGINT");
  const { work, stop } = slowToStop();
  stop();

  expect(await untilInterrupted(work)).toBe("done");
  await expect(untilInterrupted(() => Promise.reject(new Error("own")))).rejects.toThrow("own");
  expect(process.listenerCount("SIGINT")).toBe(before);
});

test("whatever fails because it was told to stop, the interruption is the reason", async () => {
  const failing = untilInterrupted(async (signal) => {
    send("SIGINT");
    throw signal.aborted ? new TypeError("a socket was closed") : new Error("not told");
  });

  await expect(failing).rejects.toBeInstanceOf(Interrupted);
});
