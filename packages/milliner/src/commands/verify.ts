import { resolve } from "node:path";
import { verifyRun } from "@milliner/continual";
import type { Command } from "commander";
import { loadDataAgain } from "../data-source.ts";
import { openDeviceOf } from "../device.ts";
import { Failed } from "../exit-status.ts";
import { makeHat, makeScenario } from "../model.ts";
import { printJson, type Output } from "../output.ts";
import { readRunFile } from "../settings/run-file.ts";
import { deviceOption, threadsOption, type ComputeFlags } from "./options.ts";

interface VerifyFlags extends ComputeFlags {
  readonly data?: string;
  readonly json?: boolean;
}

/**
 * `milliner verify RUN`: loads the newest checkpoint and compares the logits of every learned task with what they were when
 * its training ended. `train` calls it in a fresh process, and reads its JSON.
 */
export function addVerify(program: Command, output: Output): void {
  program
    .command("verify", { hidden: true })
    .argument("<run>", "a run's folder")
    .option("--data <folder>", "the images, where they are elsewhere by now")
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option("--json", "print one JSON object")
    .action(async (run: string, flags: VerifyFlags) => {
      const { notes, ...file } = await readRunFile(run);
      const settings =
        flags.data === undefined ? file.settings : { ...file.settings, data: resolve(flags.data) };
      const { backend } = openDeviceOf(run, notes, flags, (message) => output.note(`warning: ${message}\n`));
      const scenario = makeScenario(
        settings,
        await loadDataAgain(settings, notes, { offline: true }),
        notes.normalisation,
      );
      const found = await verifyRun(
        run,
        scenario,
        () => makeHat(settings, notes.inputShape, backend),
        backend,
      );
      if (flags.json === true) {
        printJson(output, found);
        return;
      }
      for (const { task, expected, found: now } of found.tasks) {
        output.result(
          `task ${task}: ${expected === now ? "same logits" : `logits were ${expected} and are ${now}`}\n`,
        );
      }
      if (found.lockedUnchanged === null) return; // a method that locks nothing promises nothing
      if (!found.bitExactOldLogits) throw new Failed(`${run}: logits are not what they were`);
      if (!found.lockedUnchanged) throw new Failed(`${run}: locked elements are not what they were`);
    });
}
