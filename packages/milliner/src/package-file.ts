import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where this file lies. Asked for at the first use, and no bundler is given a path to resolve: of what it makes of
 * `import.meta.url` some throws, and importing never does. It is empty in some bundles of CommonJS; `__filename` is there then.
 */
export function thisFile(): string {
  const url: string | undefined = import.meta.url;
  return url === undefined ? __filename : fileURLToPath(url);
}

/** A file of this package, from src/ and dist/ alike. In a bundle it need not exist. */
export function packageFile(path: string): string {
  return join(dirname(thisFile()), "..", path);
}
