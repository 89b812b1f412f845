import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

// The command as it is shipped: it runs dist/, which `npm run check` has built from these sources before the tests.
export const command: string = fileURLToPath(new URL("../bin/milliner.js", import.meta.url));

/** What a finished command left behind. */
export interface Finished {
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when the events of the run in `folder` hold `text`; rejects when the command ends without it. */
  reaches(folder: string, text: string): Promise<void>;
}

export function start(
  args: readonly string[],
  folder: string,
  variables: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [command, ...args], {
    cwd: folder,
    // Whoever runs the tests may have been started by a package manager; the command was not.
    env: { ...process.env, npm_config_user_agent: undefined, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const finished = new Promise<Finished>((done, fail) => {
    child.on("error", fail);
    child.on("close", (status, signal) => done({ status: status ?? signal, stdout, stderr }));
  });
  return {
    child,
    finished,
    reaches: async (run, text) => {
      let ended: Finished | null = null;
      void finished.then((end) => (ended = end));
      for (;;) {
        const events = await readFile(join(run, "events.jsonl"), "utf8").catch(() => "");
        if (events.includes(text)) return;
        if (ended !== null) throw new Error(`the command ended without "${text}": ${JSON.stringify(ended)}`);
        await setTimeout(5);
      }
    },
  };
}

/** Variables that make Node load a program before the command: for machines that behave otherwise. */
export function preload(folder: string, name: string, program: string): { readonly NODE_OPTIONS: string } {
  const file = join(folder, `${name}.cjs`);
  writeFileSync(file, program);
  return { NODE_OPTIONS: `--require ${JSON.stringify(file)}` };
}

/** Runs the command to its end. */
export function milliner(
  args: readonly string[],
  folder: string,
  variables?: Readonly<Record<string, string>>,
): Promise<Finished> {
  return start(args, folder, variables).finished;
}
