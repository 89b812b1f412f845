import { open, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { CheckpointError } from "@milliner/core";
import { eventsFile, resultFile } from "@milliner/continual";
import { parseEvent, parseModels, parseResult } from "./narrow.ts";
import type { ReportEvent, ReportInput } from "./report-input.ts";

// Far beyond any run (10 tasks of 200 epochs with 2000 units write 1 MB), and little enough to hold.
const mostBytes = { "events.jsonl": 64, "result.json": 8, "run.yaml": 1, "verification.json": 4 } as const;

/**
 * Reads what a report shows from a run folder. What is missing is left out: an interrupted run has no result. The files are
 * not believed: their sizes are bounded and their content is narrowed.
 *
 * @throws CheckpointError (`NOT_A_RUN`) when the folder holds neither events nor a result; (`READ_FAILED`, `TOO_LARGE`,
 *   `BAD_JSON`, `BAD_VALUE`) for a file, with its name and the line
 */
export async function readRun(folder: string): Promise<ReportInput> {
  const verification = join(folder, "onnx", "verification.json");
  const eventsText = await readBounded(eventsFile(folder), mostBytes["events.jsonl"]);
  const resultText = await readBounded(resultFile(folder), mostBytes["result.json"]);
  if (eventsText === null && resultText === null) {
    throw new CheckpointError(
      "NOT_A_RUN",
      `${folder} holds neither events.jsonl nor result.json; name the folder that "milliner train" wrote`,
    );
  }
  const configuration = await readBounded(join(folder, "run.yaml"), mostBytes["run.yaml"]);
  const modelsText = await readBounded(verification, mostBytes["verification.json"]);

  const remarks: string[] = [];
  const events = eventsText === null ? [] : parseLines(eventsText, eventsFile(folder), remarks);
  if (eventsText === null)
    remarks.push("events.jsonl is missing: capacity, masks and training curves cannot be shown.");
  const result =
    resultText === null ? null : parseResult(parseJson(resultText, resultFile(folder)), resultFile(folder));
  const models = modelsText === null ? null : parseModels(parseJson(modelsText, verification), verification);
  return { name: basename(resolve(folder)), result, events, configuration, models, remarks };
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

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError("BAD_JSON", `${where} is not JSON; the file is damaged or not milliner's`, {
      cause,
    });
  }
}

/** @returns null where there is no such file */
async function readBounded(path: string, mebibytes: number): Promise<string | null> {
  const limit = mebibytes * 2 ** 20;
  try {
    // Asked before it is opened: opening a pipe would wait for a writer.
    if (!(await stat(path)).isFile())
      throw new CheckpointError("READ_FAILED", `${path} is not a file; is this a run folder?`);
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > limit) {
        throw new CheckpointError(
          "TOO_LARGE",
          `${path} has ${size} bytes and a report reads ${limit} at most; is it milliner's?`,
        );
      }
      const bytes = Buffer.alloc(size);
      let read = 0;
      while (read < size) {
        const { bytesRead } = await file.read(bytes, read, size - read, read);
        if (bytesRead === 0) break; // it became shorter meanwhile
        read += bytesRead;
      }
      return bytes.toString("utf8", 0, read);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    if (code === "ENOENT") return null;
    throw new CheckpointError(
      "READ_FAILED",
      `${path} cannot be read (${code}); check that it is there and that you may read it`,
      { cause },
    );
  }
}
