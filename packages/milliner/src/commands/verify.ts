import { verifyRun } from "@milliner/continual";
import type { Command } from "commander";
import { loadDataAgain } from "../data-source.ts";
import { openDevice } from "../device.ts";
import { Failed } from "../exit-status.ts";
import { makeHat, makeScenario } from "../model.ts";
import { printJson, type Output } from "../output.ts";
import { readRunFile } from "../settings/run-file.ts";
import { deviceOption, threadsOption, type ComputeFlags } from "./options.ts";

interface VerifyFlags extends ComputeFlags {
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
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option("--json", "print one JSON object")
    .action(async (run: string, flags: VerifyFlags) => {
      const { settings, notes } = await readRunFile(run);
      const { backend } = openDevice(
        { device: flags.device ?? notes.device, threads: flags.threads },
        (message) => output.note(`warning: ${message}\n`),
      );
      const scenario = makeScenario(settings, await loadDataAgain(settings, notes, { offline: true }));
      const found = await verifyRun(run, scenario, () => makeHat(settings, scenario, backend), backend);
      if (flags.json === true) {
        printJson(output, found);
        return;
      }
      for (const { task, expected, found: now } of found.tasks) {
        output.result(
          `task ${task}: ${expected === now ? "same logits" : `logits were ${expected} and are ${now}`}\n`,
        );
      }
      if (!found.bitExactOldLogits) throw new Failed(`${run}: logits are not what they were`);
    });
}
