import nodeModule from "node:module";
import { availableParallelism, cpus } from "node:os";
import { cpuStatus, selectBackend } from "@milliner/core";
import type { Command } from "commander";
import type { Output } from "../output.ts";
import { thisFile } from "../package-file.ts";
import { textTable } from "../table.ts";
import { versions } from "../versions.ts";

export function addDoctor(program: Command, output: Output): void {
  program
    .command("doctor")
    .description("say what this machine computes with, and why")
    .option("--json", "print one JSON object")
    .action(({ json }: { readonly json?: boolean }) => {
      const found = examine();
      if (json === true) output.json(found);
      else output.result(report(found));
      selectBackend(undefined, () => {}); // what a run would refuse is refused here too, behind what could be found
    });
}

/** What `doctor` found. */
export interface Examination {
  readonly versions: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly processor: string;
  /** Processors that this process may use. */
  readonly processors: number;
  readonly kernels: ReturnType<typeof cpuStatus>;
  /** Version of onnxruntime-node, null where it is not installed. */
  readonly onnxruntime: string | null;
}

export function examine(): Examination {
  return {
    versions: versions(),
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    kernels: cpuStatus(),
    onnxruntime: installedVersion("onnxruntime-node"),
  };
}

function installedVersion(name: string): string | null {
  try {
    const manifest: unknown = nodeModule.createRequire(thisFile())(`${name}/package.json`);
    return manifest !== null && typeof manifest === "object" && "version" in manifest
      ? String(manifest.version)
      : null;
  } catch {
    return null; // optional: export then verifies with our own kernels only
  }
}

function report({
  versions: found,
  platform,
  processor,
  processors,
  kernels,
  onnxruntime,
}: Examination): string {
  const native: readonly (readonly string[])[] = kernels.available
    ? [
        ["kernels", `${kernels.isa}: ${kernels.reason}`],
        ["also here", kernels.instructionSets.filter((set) => set !== kernels.isa).join(", ") || "none"],
        [
          "bf16",
          kernels.bf16.tiles === null ? `not here, because ${kernels.bf16.reason}` : kernels.bf16.reason,
        ],
        ["threads", threadsText(kernels)],
        ["addon", kernels.addon],
      ]
    : [["kernels", `none: ${kernels.reason}`]];
  const rows = [
    ...Object.entries(found),
    ["platform", platform],
    ["processor", `${processor}, ${processors} usable`],
    ...native,
    [
      "onnxruntime",
      onnxruntime ?? "not installed: exports cannot be compared with it (npm install onnxruntime-node)",
    ],
  ];
  // To the left, both: values are texts here and not figures.
  const width = Math.max(...rows.map(([title]) => title!.length));
  return textTable(rows.map(([title, value]) => [`${title!.padEnd(width)}  ${value}`]));
}

function threadsText({
  threads,
  threadsAsked,
}: {
  readonly threads: number;
  readonly threadsAsked: number;
}): string {
  if (threads === threadsAsked) return `${threads} by default`;
  return `${threads} of ${threadsAsked}: the system starts no more of them (a limit on processes or memory)`;
}
