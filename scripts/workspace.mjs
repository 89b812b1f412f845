// Where the workspace's packages lie. Imports nothing from npm: setup.mjs uses it before anything is installed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Folders of all packages relative to the root, as `pnpm-workspace.yaml` lists them, in a fixed order. */
export function packageFolders() {
  const listed = /^packages:\n((?: +- .+\n)+)/m.exec(readFileSync(join(root, "pnpm-workspace.yaml"), "utf8"))[1];
  const patterns = [...listed.matchAll(/- +(.+)/g)].map((match) => match[1].trim());
  const folders = patterns.flatMap((pattern) => {
    if (!pattern.endsWith("/*")) return [pattern];
    const parent = pattern.slice(0, -2);
    return readdirSync(join(root, parent)).map((child) => `${parent}/${child}`);
  });
  return folders.filter((folder) => existsSync(join(root, folder, "package.json"))).toSorted();
}

/** Paths of every package.json, the root's first, relative to the root. */
export function manifestPaths() {
  return ["package.json", ...packageFolders().map((folder) => `${folder}/package.json`)];
}

/** Every package with its manifest. */
export function packages() {
  return packageFolders().map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")),
  }));
}
