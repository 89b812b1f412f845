import { oneLine, type Output } from "../output.ts";
import { barProgress } from "./bars.ts";
import { lineProgress } from "./lines.ts";
import type { Progress } from "./progress.ts";

/**
 * Bars on a terminal, a line per task and per minute elsewhere, nothing but warnings when quiet.
 * @param terminal - what kind of terminal it is; one that is `dumb` knows no way back in a line
 */
export function startProgress(
  output: Output,
  isQuiet: boolean,
  terminal: string = process.env["TERM"] ?? "",
): Progress {
  if (isQuiet) return quietProgress(output);
  const clock = (): number => performance.now() / 1000;
  return output.isTerminal && terminal !== "dumb" ? barProgress(output, clock) : lineProgress(output, clock);
}

function quietProgress(output: Output): Progress {
  const nothing = (): void => undefined;
  return {
    start: nothing,
    event: nothing,
    download: nothing,
    warning: (message) => output.note(oneLine(`warning: ${message}`)),
    end: nothing,
  };
}
