import { readFileSync } from "node:fs";

/** Version of this package. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return manifest !== null && typeof manifest === "object" && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}

/** What else decides what a run computes, and how fast. */
export function versions(): Readonly<Record<string, string>> {
  return { milliner: packageVersion(), node: process.version, v8: process.versions.v8 };
}
