import { readFileSync } from "node:fs";
import { packageFile } from "./package-file.ts";

/** Version of this package; `unknown` in a bundle, where its manifest is not beside it. */
export function packageVersion(): string {
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(packageFile("package.json"), "utf8"));
  } catch {
    return "unknown";
  }
  return manifest !== null && typeof manifest === "object" && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}

/** What else decides what a run computes, and how fast. */
export function versions(): Readonly<Record<string, string>> {
  return { milliner: packageVersion(), node: process.version, v8: process.versions.v8 };
}
