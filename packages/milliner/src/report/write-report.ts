import { join } from "node:path";
import { writeFileAtomically } from "@milliner/continual";
import { renderReport } from "./page.ts";
import { readRun } from "./read-run.ts";

/**
 * Writes `report.html` into a run folder, aside first: whoever looks sees the old report or the whole new one.
 *
 * @returns the path of the report
 * @throws CheckpointError as `readRun` does, and (`WRITE_FAILED`)
 */
export async function writeReport(folder: string): Promise<string> {
  const path = join(folder, "report.html");
  await writeFileAtomically(path, renderReport(await readRun(folder)));
  return path;
}
