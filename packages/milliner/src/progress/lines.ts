import type { RunEvent } from "@milliner/continual";
import { deviceText } from "../device.ts";
import type { Output } from "../output.ts";
import { duration, percent } from "../table.ts";
import type { Progress } from "./progress.ts";

/** What an event says in words, or null for those that only a bar can show. */
export function eventLine(event: RunEvent, tasks: number): string | null {
  const where = (task: number): string => `${event.learner}: task ${task} (${task + 1} of ${tasks})`;
  switch (event.type) {
    case "run-started":
      return `${event.learner} begins with ${event.scenario}: ${event.tasks} tasks`;
    case "epoch-ended":
      return (
        `${where(event.task)}, epoch ${event.epoch + 1} of ${event.epochs}: ` +
        `loss ${event.trainLoss.toFixed(4)}, validation ${percent(event.validationAccuracy)}`
      );
    case "task-ended":
      return `${where(event.task)} learned in ${duration(event.seconds)} and ${event.epochs} epochs`;
    case "evaluated":
      return `${where(event.afterTask)}: accuracy ${event.accuracies.map((one) => percent(one)).join(", ")}`;
    case "warning":
      return `warning: ${event.learner}: ${event.message}`;
    case "run-ended":
      return `${event.learner} ends with a mean accuracy of ${percent(event.acc)}`;
    case "task-started":
    case "progress":
    case "capacity":
    case "masks":
    case "checkpoint":
    case "promise-broken": // its warning says it
      return null;
    default:
      return event satisfies never;
  }
}

/** A line per event: for logs and pipes. */
export function lineProgress(output: Output): Progress {
  let tasks = 0;
  const downloading = new Set<string>();
  return {
    start(start) {
      tasks = start.tasks;
      output.note(`${start.folder}: ${start.learners.join(", ")} on ${deviceText(start.device)}\n`);
    },
    event(event) {
      const line = eventLine(event, tasks);
      if (line !== null) output.note(`${line}\n`);
    },
    download({ file, url }) {
      if (downloading.has(url)) return;
      downloading.add(url);
      output.note(`downloading ${file} from ${url}\n`);
    },
    warning: (message) => output.note(`warning: ${message}\n`),
    end: () => undefined,
  };
}
