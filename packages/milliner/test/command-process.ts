import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

// The command as it is shipped: it runs dist/, which `npm run check` has built from these sources before the tests.
const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.url));

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
  /** Resolves when stderr holds `text`; rejects when the command ends without it. */
  says(text: string): Promise<void>;
}

export function start(
  args: readonly string[],
  folder: string,
  variables: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [command, ...args], {
    cwd: folder,
    env: { ...process.env, ...variables },
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
    says: (text) =>
      new Promise((done, fail) => {
        const look = (): void => (stderr.includes(text) ? done() : undefined);
        child.stderr.on("data", look);
        look();
        finished.then(() => fail(new Error(`the command ended without saying "${text}":\n${stderr}`)), fail);
      }),
  };
}

/** Runs the command to its end. */
export function milliner(
  args: readonly string[],
  folder: string,
  variables?: Readonly<Record<string, string>>,
): Promise<Finished> {
  return start(args, folder, variables).finished;
}
