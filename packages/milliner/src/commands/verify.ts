import { resolve } from "node:path";
import { verifyRun, type Verification } from "@milliner/continual";
import { Option, type Command } from "commander";
import { loadDataAgain } from "../data-source.ts";
import { openDeviceOf } from "../device.ts";
import { Failed } from "../exit-status.ts";
import { firstWord } from "../fresh-process.ts";
import { makeHat, makeScenario } from "../model.ts";
import { oneLine, type Output } from "../output.ts";
import { checkRunFile, readRunFile } from "../settings/run-file.ts";
import { deviceOption, givenPath, threadsOption, type ComputeFlags } from "./options.ts";

interface VerifyFlags extends ComputeFlags {
  readonly data?: string;
  readonly tellParent?: boolean;
  readonly json?: boolean;
}

/**
 * `milliner verify RUN`: loads the newest checkpoint and compares the logits of every learned task with what they were when
 * its training ended. `train` calls it in a fresh process, which tells it by a message: stdout belongs to whatever is loaded
 * there too.
 */
export function addVerify(program: Command, output: Output): void {
  program
    .command("verify")
    .description("compare the logits of a run's tasks, from its newest checkpoint, with what they were")
    .argument("<run>", "a run's folder", givenPath)
    .option("--data <folder>", "the images, where they are elsewhere by now", givenPath)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(new Option("--tell-parent").hideHelp())
    .option("--json", "print one JSON object")
    .action(async (run: string, flags: VerifyFlags) => {
      const file = await readRunFile(run);
      await checkRunFile(run, file);
      const { notes, settings } = file;
      const given = flags.data === undefined ? null : resolve(flags.data);
      const { backend } = openDeviceOf(run, notes, flags, (message) =>
        output.note(oneLine(`warning: ${message}`)),
      );
      // The threads are there, so this process has been started: the parent waits for that word, but not for ever.
      if (flags.tellParent === true) process.send?.(firstWord);
      const scenario = makeScenario(
        settings,
        await loadDataAgain(file, given, { offline: true }),
        notes.normalisation,
      );
      const found = await verifyRun(
        run,
        scenario,
        () => makeHat(settings, notes.inputShape, backend),
        backend,
      );
      if (flags.tellParent === true) process.send?.(found);
      const promises = found.lockedUnchanged !== null; // a method that locks nothing promises nothing
      const broken = [
        ...(found.bitExactOldLogits ? [] : ["logits"]),
        ...(found.lockedUnchanged === false ? ["locked elements"] : []),
      ];
      if (flags.json === true) output.json(found);
      else output.result(verificationText(found));
      if (promises && broken.length > 0)
        throw new Failed(
          "PROMISE_BROKEN",
          `${run}: ${broken.join(" and ")} are not what they were; do not rely on this checkpoint, and restore the folder from a copy`,
        );
    });
}

function verificationText({ tasks, lockedUnchanged }: Verification): string {
  const lines = tasks.map(
    ({ task, expected, found }) =>
      `task ${task}: ${expected === found ? "same logits" : `logits were ${expected} and are ${found}`}`,
  );
  if (lockedUnchanged !== null)
    lines.push(`locked elements: ${lockedUnchanged ? "unchanged" : "NOT WHAT THEY WERE"}`);
  return lines.map((line) => `${line}\n`).join("");
}
