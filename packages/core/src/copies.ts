import { fileURLToPath } from "node:url";

/** Where a process keeps the places of the copies that were used in it: one name for all copies of all versions. */
const key = Symbol.for("@milliner/core: places of its copies");

let isKnown = false;

/**
 * Warns once for a process in which two copies of this package are used: two versions installed, or one in a bundle. Called
 * when something is first done that a second copy would not know of; importing one does nothing.
 */
export function noteCopy(): void {
  if (isKnown) return;
  isKnown = true;
  const known = globalThis as { [key]?: string[] };
  const places = (known[key] ??= []);
  const here = place();
  if (places.includes(here)) return; // loaded again, as test runners do, and the first is not used any more
  places.push(here);
  if (places.length !== 2) return;
  process.emitWarning(
    `two copies of @milliner/core are used in this process, ${places.join(" and ")}: neither knows the tensors, the tidy ` +
      "and the errors of the other; install one version for all packages (npm ls @milliner/core), or keep it out of a bundle",
    { code: "MILLINER_TWO_COPIES" },
  );
}

/** The folder of this copy, or the file of the bundle it is in. `import.meta.url` is empty in some bundles of CommonJS. */
function place(): string {
  const url: string | undefined = import.meta.url;
  const file = url === undefined ? __filename : fileURLToPath(url);
  return file.replace(/[\\/](?:src|dist)[\\/]copies\.[jt]s$/, "");
}
