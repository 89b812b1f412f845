import { spawn } from "node:child_process";
import type { Command } from "commander";
import { oneLine, type Output } from "../output.ts";
import { writeReport } from "../report/index.ts";
import { givenPath } from "./options.ts";

export function addReport(program: Command, output: Output): void {
  program
    .command("report")
    .description("write report.html: one file that shows what a run did, without a network")
    .argument("<run>", "a run's folder", givenPath)
    .option("--open", "show it in the browser")
    .action(async (run: string, { open }: { readonly open?: boolean }) => {
      const path = await writeReport(run, (message) => output.note(oneLine(`warning: ${message}`)));
      output.result(oneLine(path));
      if (open === true) show(path, output);
    });
}

/** Hands a file to the desktop. Where there is none that is no failure: the path has been printed. */
function show(path: string, output: Output): void {
  const [program, args]: [string, string[]] =
    process.platform === "darwin"
      ? ["open", [path]]
      : process.platform === "win32"
        ? ["explorer.exe", [path]]
        : ["xdg-open", [path]];
  const child = spawn(program, args, { detached: true, stdio: "ignore" });
  child.on("error", () => output.note(oneLine(`warning: ${program} cannot show it; open ${path} by hand`)));
  child.unref();
}
