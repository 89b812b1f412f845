import type { Output } from "../output.ts";
import { barProgress } from "./bars.ts";
import { lineProgress } from "./lines.ts";
import type { Progress } from "./progress.ts";

/** Bars on a terminal, a line per event elsewhere, nothing but warnings when quiet. */
export function startProgress(output: Output, isQuiet: boolean): Progress {
  if (isQuiet) return quietProgress(output);
  return output.isTerminal ? barProgress(output, () => performance.now() / 1000) : lineProgress(output);
}

function quietProgress(output: Output): Progress {
  const nothing = (): void => undefined;
  return {
    start: nothing,
    event: nothing,
    download: nothing,
    warning: (message) => output.note(`warning: ${message}\n`),
    end: nothing,
  };
}
