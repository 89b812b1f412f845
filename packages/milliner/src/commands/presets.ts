import type { Command } from "commander";
import { counted } from "../counted.ts";
import type { Output } from "../output.ts";
import { presetNamed, presets } from "../presets/index.ts";
import { settingsYaml } from "../settings/run-file.ts";
import { textTable } from "../table.ts";

export function addPresets(program: Command, output: Output): void {
  program
    .command("presets")
    .description("list the presets, or print one as YAML to change and train")
    .argument("[name]", "a preset")
    .action((name: string | undefined) => {
      output.result(name === undefined ? list() : `name: ${name}\n${settingsYaml(presetNamed(name))}`);
    });
}

function list(): string {
  return textTable(
    Object.entries(presets).map(([name, { dataset, tasks, layers, width, epochs }]) => [
      name,
      `${dataset}`,
      tasks === null ? "" : counted(tasks, "task"),
      `${layers} x ${counted(width, "unit")}`,
      counted(epochs, "epoch"),
    ]),
  );
}
