import { join, resolve } from "node:path";
import { writeFileAtomically } from "@milliner/continual";
import { unsyncedWarning } from "@milliner/data";
import { processWarning } from "../output.ts";
import { renderReport } from "./page.ts";
import { readRun } from "./read-run.ts";

/**
 * Writes `report.html` into a run folder, aside first: whoever looks sees the old report or the whole new one.
 *
 * @param onWarning - is told where the disk does not say when data are safe. Default: a warning of the process
 * @returns the path of the report
 * @throws CheckpointError as `readRun` does, and (`WRITE_FAILED`)
 */
export async function writeReport(
  run: string,
  onWarning: (message: string) => void = processWarning,
): Promise<string> {
  const folder = resolve(run);
  const path = join(folder, "report.html");
  const refused = await writeFileAtomically(path, renderReport(await readRun(folder)));
  if (refused !== null) onWarning(unsyncedWarning(path, refused));
  return path;
}
