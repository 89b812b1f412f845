import { Command, CommanderError } from "commander";
import { addDoctor } from "./commands/doctor.ts";
import { addExport } from "./commands/export.ts";
import { addInspect } from "./commands/inspect.ts";
import { addPresets } from "./commands/presets.ts";
import { addReport } from "./commands/report.ts";
import { addTrain } from "./commands/train.ts";
import { addVerify } from "./commands/verify.ts";
import { exitStatus, Interrupted, isForUser } from "./exit-status.ts";
import { processOutput, type Output } from "./output.ts";
import { packageVersion } from "./versions.ts";

/**
 * The command `milliner`.
 * @param args - what stands behind the command's name
 * @returns the status to end with
 */
export async function main(args: readonly string[], output: Output = processOutput()): Promise<number> {
  const isDebug = args.includes("--debug");
  try {
    await program(output).parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError) && !(error instanceof Interrupted))
      output.note(`${told(error, isDebug)}\n`);
    return exitStatus(error);
  }
}

function told(error: unknown, isDebug: boolean): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  if (isDebug)
    return `error: ${error.stack ?? error.message}${error.cause instanceof Error ? `\ncause: ${error.cause.stack}` : ""}`;
  const message = error.message.split("\n")[0];
  return isForUser(error) || error.name === "Failed"
    ? `error: ${message}`
    : `error: ${message} (a mistake of milliner's own; --debug shows where)`;
}

function program(output: Output): Command {
  const root = new Command("milliner")
    .description(
      "Train one network on a sequence of tasks without forgetting, and ship each task as a small ONNX file.",
    )
    .version(packageVersion())
    .option("--debug", "show a stack trace when something goes wrong")
    .configureOutput({ writeOut: output.result, writeErr: output.note })
    .showSuggestionAfterError()
    .exitOverride();
  addTrain(root, output);
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
