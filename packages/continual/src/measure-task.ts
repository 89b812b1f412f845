import { createHash } from "node:crypto";
import { ConfigError, type Backend, type Tensor } from "@milliner/core";
import { evaluate, type Evaluation } from "./evaluate.ts";
import type { Learner } from "./learner.ts";
import { located } from "./located.ts";
import { taskInWords, type Task } from "./task.ts";

/**
 * Accuracy on a task's test set, and the SHA-256 of all its logits, bit for bit, in the order of the images.
 * @throws NumericError (`NON_FINITE_LOGITS`, `NON_FINITE_DATA`) that names the task
 * @throws ConfigError (`MIXED_BACKENDS`) when the learner computes on another backend
 */
export function measureTask(
  learner: Learner,
  task: Task,
  backend: Backend,
): { readonly accuracy: number; readonly logitsSha256: string } {
  const hash = createHash("sha256");
  const { accuracy } = onTestSet(learner, task, () =>
    evaluate(
      task.test,
      backend,
      (images) => ofBackend(backend, learner.logits(task.id, images)),
      ({ buffer, byteOffset, byteLength }) => hash.update(new Uint8Array(buffer, byteOffset, byteLength)),
    ),
  );
  return { accuracy, logitsSha256: hash.digest("hex") };
}

/**
 * Accuracy on the test set of a task that has not been learned; null for methods that cannot be asked.
 * @throws NumericError (`NON_FINITE_LOGITS`, `NON_FINITE_DATA`) that names the task
 * @throws ConfigError (`MIXED_BACKENDS`) when the learner computes on another backend
 */
export function measureUntrained(learner: Learner, task: Task, backend: Backend): number | null {
  if (learner.untrainedLogits === undefined) return null;
  return onTestSet(learner, task, () =>
    evaluate(task.test, backend, (images) => ofBackend(backend, learner.untrainedLogits!(task, images))),
  ).accuracy;
}

// The result says in which precision it was computed: that of the backend which the run was given.
function ofBackend(backend: Backend, logits: Tensor): Tensor {
  if (logits.backend === backend) return logits;
  const [given, own] = [backend, logits.backend].map(({ name, precision }) => `${name} in ${precision}`);
  throw new ConfigError(
    "MIXED_BACKENDS",
    `it computes on the backend ${own}, but the run was given ${given}; give the run its learners' own`,
  );
}

function onTestSet(learner: Learner, task: Task, measure: () => Evaluation): Evaluation {
  return located(() => `"${learner.name}" on the test set of ${taskInWords(task)}`, measure);
}
