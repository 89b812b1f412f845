import type { RunEvent } from "@milliner/continual";
import { counted } from "../counted.ts";
import { deviceText, deviceUsed } from "../device.ts";
import { oneLine, type Output } from "../output.ts";
import { duration, percent } from "../table.ts";
import type { Progress } from "./progress.ts";
import { TimeLeft } from "./time-left.ts";

// A log of a night stays readable, and who waits sees that it goes on.
const secondsBetweenLines = 60;

/** Says events in words: a line for each task that a learner has learned, and each warning; null for the others. */
export function taskLines(tasks: number): (event: RunEvent) => string | null {
  let learned = "";
  return (event) => {
    switch (event.type) {
      case "task-started":
        learned = "";
        return null;
      case "task-ended":
        learned = ` learned in ${duration(event.seconds)} and ${counted(event.epochs, "epoch")}`;
        return null;
      case "evaluated": {
        const { learner, afterTask, accuracies } = event;
        const mean = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
        const all = accuracies.length < 2 ? "" : `, mean of ${accuracies.length} tasks ${percent(mean)}`;
        return `${place(learner, afterTask, tasks)}${learned}: accuracy ${percent(accuracies.at(-1))}${all}`;
      }
      case "warning":
        return `warning: ${event.learner}: ${event.message}`;
      case "run-started":
      case "run-ended":
      case "epoch-ended":
      case "progress":
      case "capacity":
      case "masks":
      case "checkpoint":
      case "promise-broken": // its warning says it
        return null;
      default:
        return event satisfies never;
    }
  };
}

function place(learner: string, task: number, tasks: number): string {
  return `${learner}: task ${task} (${task + 1} of ${tasks})`;
}

/**
 * A line per task, and one a minute within a long one: for logs and pipes.
 * @param clock - seconds on a monotonic clock
 */
export function lineProgress(output: Output, clock: () => number): Progress {
  let tasks = 0;
  let lineOf = taskLines(tasks);
  let left: TimeLeft | null = null;
  let validation = "";
  let saidAt = clock();
  const downloading = new Set<string>();
  const say = (line: string): void => {
    output.note(oneLine(line));
    saidAt = clock();
  };
  return {
    start(start) {
      tasks = start.tasks;
      lineOf = taskLines(tasks);
      say(`${start.folder}: ${start.learners.join(", ")} on ${deviceText(deviceUsed(start.device))}`);
    },
    event(event) {
      if (event.type === "run-started" || left === null) left = new TimeLeft(tasks, clock);
      if (event.type === "task-started") validation = "";
      if (event.type === "epoch-ended") validation = `, validation ${percent(event.validationAccuracy)}`;
      if (event.type === "progress") {
        left.note(event.task, event.epoch, event.epochs, event.fraction);
        if (clock() - saidAt < secondsBetweenLines) return;
        const seconds = left.seconds();
        const rest = seconds === null ? "" : `, ${duration(seconds)} left at most`;
        const at = place(event.learner, event.task, tasks);
        say(`${at}, epoch ${event.epoch + 1} of ${event.epochs}${validation}${rest}`);
        return;
      }
      const line = lineOf(event);
      if (line !== null) say(line);
    },
    download({ file, url }) {
      if (downloading.has(url)) return;
      downloading.add(url);
      say(`downloading ${file} from ${url}`);
    },
    warning: (message) => say(`warning: ${message}`),
    end: () => undefined,
  };
}
