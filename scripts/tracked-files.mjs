// The files that belong to the repository: what git tracks or would add. Without git (an unpacked archive), all files
// that .gitignore's folders leave.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./workspace.mjs";

/**
 * Paths relative to the root, with forward slashes.
 *
 * @returns {string[]}
 */
export function trackedFiles() {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) return everyFile("");
  return stdout.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
}

function everyFile(folder) {
  const made = /^(node_modules|dist|build|build-.*|\.cache|\.turbo|\.git)$/;
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).filter(
    ({ name }) => !made.test(name),
  );
  return entries.flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? everyFile(path) : [path];
  });
}
