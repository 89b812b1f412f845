import type { RunEvent } from "@milliner/continual";
import { deviceText, deviceUsed } from "../device.ts";
import { oneLine, type Output } from "../output.ts";
import { bytes, duration } from "../table.ts";
import { taskLines } from "./lines.ts";
import type { Progress } from "./progress.ts";
import { TimeLeft } from "./time-left.ts";

// As often as an eye can follow; more would only cost time.
const secondsBetweenDraws = 0.1;

/** One line at the bottom that is drawn over itself, and above it a line per task that is done. */
export function barProgress(output: Output, clock: () => number): Progress {
  let tasks = 1;
  let lineOf = taskLines(tasks);
  let left: TimeLeft | null = null;
  let drawnAt = -Infinity;
  let isDrawn = false;

  const clear = (): void => {
    if (isDrawn) output.note("\r\u001b[K");
    isDrawn = false;
  };
  const say = (line: string): void => {
    clear();
    output.note(oneLine(line));
  };
  const draw = (title: string, fraction: number, rest: string): void => {
    if (clock() - drawnAt < secondsBetweenDraws) return;
    drawnAt = clock();
    // A line that fills the last column would go on in the next, and be drawn below itself from then on.
    const most = Math.max(0, output.columns() - 1);
    const share = `${(100 * fraction).toFixed(0).padStart(3)} %`;
    const whole = `${title} ${bar(fraction)} ${share}`;
    const line = `${whole.length > most ? `${title} ${share}` : whole} ${rest}`;
    output.note(`\r${line.slice(0, most)}\u001b[K`);
    isDrawn = true;
  };

  return {
    start(start) {
      tasks = start.tasks;
      lineOf = taskLines(tasks);
      say(`${start.folder}: ${start.learners.join(", ")} on ${deviceText(deviceUsed(start.device))}`);
    },
    event(event: RunEvent) {
      if (event.type === "run-started" || left === null) left = new TimeLeft(tasks, clock);
      if (event.type === "progress") {
        const fraction = left.note(event.task, event.epoch, event.epochs, event.fraction);
        const seconds = left.seconds();
        const rest = `task ${event.task} (${event.task + 1}/${tasks}) epoch ${event.epoch + 1}/${event.epochs}`;
        draw(event.learner, fraction, seconds === null ? rest : `${rest}, ${duration(seconds)} left`);
        return;
      }
      const line = lineOf(event);
      if (line !== null) say(line);
    },
    download({ file, receivedBytes, totalBytes }) {
      const fraction = totalBytes === undefined ? 0 : receivedBytes / totalBytes;
      draw(file, Math.min(1, fraction), bytes(receivedBytes));
    },
    warning: (message) => say(`warning: ${message}`),
    end: clear,
  };
}

function bar(fraction: number): string {
  const width = 24;
  const full = Math.round(width * Math.max(0, Math.min(1, fraction)));
  return `[${"#".repeat(full)}${".".repeat(width - full)}]`;
}
