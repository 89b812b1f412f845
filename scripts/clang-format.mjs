// Formats the C++ and CUDA sources, with the same clang-format on every platform: it is a WebAssembly file.
//
//   node scripts/clang-format.mjs            names each file that is not formatted
//   node scripts/clang-format.mjs --write    formats them
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "@wasm-fmt/clang-format";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

const write = process.argv.includes("--write");
const style = readFileSync(join(root, "native", ".clang-format"), "utf8");

for (const path of trackedFiles().filter((name) => /\.(cc|cpp|h|hpp|cu|cuh)$/.test(name))) {
  const text = readFileSync(join(root, path), "utf8");
  const formatted = format(text, path.replace(/\.cuh?$/, ".cpp"), style); // it knows CUDA's syntax, not its endings
  if (formatted === text) continue;
  if (write) writeFileSync(join(root, path), formatted);
  else {
    console.error(`${path} is not formatted; run "npm run format".`);
    process.exitCode = 1;
  }
}
