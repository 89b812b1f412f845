// Where the workspace's packages lie. Imports nothing from npm: setup.mjs uses it before anything is installed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {boolean} [private]
 * @property {string} [packageManager] - the root's only
 * @property {Record<string, string | Record<string, string>>} exports
 * @property {Record<string, string>} [bin]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 */

/** Where setup puts the pnpm that package.json pins: nothing is installed globally. */
export function pnpmFolder() {
  return join(root, ".cache", manifestOf("").packageManager.replace("@", "-"));
}

/** That pnpm, a script for Node. */
export function pnpmProgram() {
  return join(pnpmFolder(), "node_modules", "pnpm", "bin", "pnpm.cjs");
}

/** Folders of all packages relative to the root, as `pnpm-workspace.yaml` lists them, in a fixed order. */
export function packageFolders() {
  const listed = /^packages:\n((?: +- .+\n)+)/m.exec(
    readFileSync(join(root, "pnpm-workspace.yaml"), "utf8"),
  )[1];
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

/**
 * Every package with its manifest.
 *
 * @returns {{ folder: string, manifest: Manifest }[]}
 */
export function packages() {
  return packageFolders().map((folder) => ({ folder, manifest: manifestOf(folder) }));
}

/**
 * @param {string} folder - relative to the root, which is ""
 * @returns {Manifest}
 */
export function manifestOf(folder) {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
}
