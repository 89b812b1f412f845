import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { ownEnvironment } from "../scripts/environment.mjs";
import { root } from "../scripts/workspace.mjs";

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end, with the workspace's programs on PATH and without the variables by which npm and vitest
 * tell their children about themselves.
 *
 * @param folder - the working directory
 * @param variables - environment variables to add
 */
export function runCommand(
  program: string,
  args: readonly string[],
  folder: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const env = { ...environment(), ...variables };
    const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject).on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

function environment(): Record<string, string> {
  const own = Object.entries(ownEnvironment()).filter(
    ([name]) => !/^(VITEST|NODE_ENV$|NODE_OPTIONS$)/.test(name),
  );
  const env = Object.fromEntries(own);
  return { ...env, PATH: [join(root, "node_modules", ".bin"), env["PATH"]].join(delimiter) };
}

/** One text of all that a failed command said, for the message of an assertion. */
export function transcript({ status, stdout, stderr }: CommandResult): string {
  return `status ${status}\n--- stdout\n${stdout}--- stderr\n${stderr}`;
}
