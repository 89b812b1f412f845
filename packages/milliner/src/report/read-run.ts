import { basename, join, resolve } from "node:path";
import { CheckpointError } from "@milliner/core";
import { eventsFile, resultFile } from "@milliner/continual";
import { notARun } from "../run-place.ts";
import { readRunText } from "../run-text.ts";
import { parseEvent, parseModels, parseResult } from "./narrow.ts";
import type { ReportEvent, ReportInput } from "./report-input.ts";

/**
 * Reads what a report shows from a run folder. What is missing is left out: an interrupted run has no result. The files are
 * not believed: their sizes are bounded and their content is narrowed.
 *
 * @throws CheckpointError (`NOT_A_RUN`) when the folder holds neither events nor a result; (`READ_FAILED`, `TOO_LARGE`,
 *   `BAD_JSON`, `BAD_VALUE`) for a file, with its name and the line
 */
export async function readRun(run: string): Promise<ReportInput> {
  const folder = resolve(run);
  const verification = join(folder, "onnx", "verification.json");
  const eventsText = await readRunText(eventsFile(folder), "events.jsonl");
  const resultText = await readRunText(resultFile(folder), "result.json");
  if (eventsText === null && resultText === null) {
    throw await notARun(folder, "it holds neither events.jsonl nor result.json");
  }
  const configuration = await readRunText(join(folder, "run.yaml"), "run.yaml");
  const modelsText = await readRunText(verification, "verification.json");

  const remarks: string[] = [];
  const events = eventsText === null ? [] : parseLines(eventsText, eventsFile(folder), remarks);
  if (eventsText === null)
    remarks.push("events.jsonl is missing: capacity, masks and training curves cannot be shown.");
  const result =
    resultText === null
      ? null
      : parseResult(
          parseJson(resultText, resultFile(folder), "resume the run, which writes it anew"),
          resultFile(folder),
        );
  const models = modelsText === null ? null : parseModels(parseJson(modelsText, verification), verification);
  return { name: basename(folder), result, events, configuration, models, remarks };
}

/** One event a line. The last line may be torn: that of a run that was killed, or is still writing. */
function parseLines(text: string, file: string, remarks: string[]): readonly ReportEvent[] {
  const lines = text.split("\n");
  const torn = lines.pop();
  if (torn !== "")
    remarks.push(`The last line of events.jsonl (line ${lines.length + 1}) is incomplete and was left out.`);
  return lines.flatMap((line, i) => {
    const where = `${file} line ${i + 1}`;
    const event = parseEvent(parseJson(line, where), where);
    return event === null ? [] : [event];
  });
}

function parseJson(text: string, where: string, advice = "the file is damaged or not milliner's"): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError("BAD_JSON", `${where} is not JSON; ${advice}`, {
      cause,
    });
  }
}
