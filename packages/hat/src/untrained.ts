import { forward, onBackend, tidy, type ChannelSpace, type Tensor } from "@milliner/core";
import type { MultiHead, Task } from "@milliner/continual";
import { disposeEmbeddings, initialEmbeddings } from "./embeddings.ts";
import { hardGates } from "./gates.ts";
import { positiveUnits } from "./hardening.ts";
import type { HatSettings } from "./options.ts";

/**
 * Logits of a task before its first step: the body as earlier tasks left it, with the head and the units that the task
 * would begin with. What forward transfer is measured with. The caller owns them.
 */
export function untrainedLogits(
  heads: MultiHead,
  spaces: readonly ChannelSpace[],
  settings: HatSettings,
  task: Task,
  images: Tensor,
): Tensor {
  const untrained = heads.untrained(task.id, task.classes.length);
  const embeddings = initialEmbeddings(spaces, task.id, settings);
  try {
    return tidy(() =>
      forward(untrained.network, untrained.parameters, onBackend(images, settings.backend), {
        gates: hardGates(positiveUnits(embeddings), settings.backend),
      }),
    );
  } finally {
    disposeEmbeddings(embeddings);
    untrained.dispose();
  }
}
