import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { flushContentSync } from "@milliner/data";
import { writeError } from "./atomic-file.ts";
import type { RunEvent, RunEventBody } from "./events.ts";

/** Where the stream of events stands: kept in every checkpoint, so that a resumed run writes on from there. */
export interface EventPosition {
  /** Events so far. */
  readonly step: number;
  /** Bytes of `events.jsonl` so far. */
  readonly bytes: number;
  /** Seconds that the run has been at work. */
  readonly seconds: number;
}

/** The position before the first event. */
export const firstPosition: EventPosition = { step: 0, bytes: 0, seconds: 0 };

/** How an event log is opened. */
export interface EventLogOptions {
  /** `events.jsonl`; null keeps no file. */
  readonly path: string | null;
  /** What was written behind it is cut off: events of work that is done again. */
  readonly position: EventPosition;
  /** Seconds on a monotonic clock. */
  readonly clock: () => number;
  readonly listener: (event: RunEvent) => void;
}

/**
 * Writes events as JSON lines and passes them on. A line is written in one piece when it happens, so that a killed run
 * leaves at most one torn line; whoever resumes cuts back to the position of a checkpoint, and so repairs it.
 */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #origin: number;
  #file: number | null = null;
  #step: number;
  #bytes: number;

  /** @throws CheckpointError when the file cannot be written */
  constructor(options: EventLogOptions) {
    const { path, position, clock } = options;
    this.#options = options;
    this.#origin = clock() - position.seconds;
    this.#step = position.step;
    this.#bytes = position.bytes;
    if (path === null) return;
    this.#write((file) => {
      this.#bytes = lineEndAtMost(file, position.bytes);
      ftruncateSync(file, this.#bytes);
    });
  }

  /** Seconds that the run has been at work. */
  get seconds(): number {
    return this.#options.clock() - this.#origin;
  }

  get position(): EventPosition {
    return { step: this.#step, bytes: this.#bytes, seconds: this.seconds };
  }

  emit(learner: string, body: RunEventBody): void {
    const event: RunEvent = { step: this.#step, time: this.seconds, learner, ...body };
    if (body.type !== "progress") {
      if (this.#options.path !== null) {
        const line = Buffer.from(`${JSON.stringify(event)}\n`);
        this.#write((file) => {
          // A full disk may take a part of it.
          for (let at = 0; at < line.length;)
            at += writeSync(file, line, at, line.length - at, this.#bytes + at);
        });
        this.#bytes += line.length;
      }
      this.#step += 1;
    }
    this.#options.listener(event);
  }

  /** Returns when everything is on the disk: null, or the code of a disk that does not say when that is. */
  flush(): string | null {
    return this.#options.path === null ? null : this.#write(flushContentSync);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #write<T>(action: (file: number) => T): T {
    const path = this.#options.path!;
    try {
      this.#file ??= openSync(path, "a+");
      return action(this.#file);
    } catch (error) {
      throw writeError(path, error);
    }
  }
}

// The position, unless the file is shorter (a power cut before its last lines were on the disk): then the end of its last
// whole line.
function lineEndAtMost(file: number, position: number): number {
  const { size } = fstatSync(file);
  if (size >= position) return position;
  const newline = 0x0a;
  const chunk = Buffer.alloc(4096);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - chunk.length);
    const count = readSync(file, chunk, 0, end - start, start);
    const at = chunk.subarray(0, count).lastIndexOf(newline);
    if (at >= 0) return start + at + 1;
    end = start;
  }
  return 0;
}
