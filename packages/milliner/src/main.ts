import { types } from "node:util";
import { ConfigError } from "@milliner/core";
import { Command, CommanderError } from "commander";
import { addDoctor } from "./commands/doctor.ts";
import { addExport } from "./commands/export.ts";
import { addInspect } from "./commands/inspect.ts";
import { addPresets } from "./commands/presets.ts";
import { addReport } from "./commands/report.ts";
import { addTrain } from "./commands/train.ts";
import { addVerify } from "./commands/verify.ts";
import { exitStatus, failureOf, Interrupted, sentence } from "./exit-status.ts";
import { oneLine, printableLines, processOutput, type Output } from "./output.ts";
import { packageVersion } from "./versions.ts";

/**
 * The command `milliner`.
 * @param args - what stands behind the command's name
 * @returns the status to end with
 */
export async function main(args: readonly string[], to: Output = processOutput()): Promise<number> {
  const output: Output = { ...to, result: (text) => to.result(printableLines(text)) };
  let said: object | null = null;
  try {
    checkWorkingFolder();
    await program({ ...output, json: (value) => (said = value) }, args).parseAsync([...args], {
      from: "user",
    });
    if (said !== null) output.json(said);
    return 0;
  } catch (error) {
    const status = exitStatus(error);
    // A line for people is there already: commander has written its own, and who was interrupted was told how to go on.
    if (!(error instanceof CommanderError) && !(error instanceof Interrupted))
      output.note(told(error, args.includes("--debug")));
    if (status !== 0 && args.includes("--json"))
      output.json({ ...(said as object | null), error: failureOf(error) });
    if (error instanceof Interrupted && error.atOnce) process.exit(status); // else the work that was given up would go on
    return status;
  }
}

/** Paths are relative to it, and Node throws wherever one is made absolute: better one sentence for all commands. */
function checkWorkingFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    throw new ConfigError(
      "FOLDER_GONE",
      "the folder that the command was started in does not exist any more; change to one that does",
      { cause },
    );
  }
}

function told(error: unknown, isDebug: boolean): string {
  if (!isDebug || !types.isNativeError(error)) return oneLine(`error: ${sentence(error)}`);
  const cause = types.isNativeError(error.cause) ? `\ncause: ${error.cause.stack}` : "";
  return printableLines(`error: ${error.stack ?? error.message}${cause}\n`);
}

function program(output: Output, args: readonly string[]): Command {
  const root = new Command("milliner")
    .description(
      "Train one network on a sequence of tasks without forgetting, and ship each task as a small ONNX file.",
    )
    .version(packageVersion())
    .option("--debug", "show a stack trace when something goes wrong")
    .configureOutput({ writeOut: output.result, writeErr: (text) => output.note(printableLines(text)) })
    .showSuggestionAfterError()
    .exitOverride();
  addTrain(root, output, args);
  addExport(root, output);
  addReport(root, output);
  addInspect(root, output);
  addPresets(root, output);
  addDoctor(root, output);
  addVerify(root, output);
  for (const command of root.commands) {
    command.option("--debug", "show a stack trace when something goes wrong");
  }
  return root;
}
