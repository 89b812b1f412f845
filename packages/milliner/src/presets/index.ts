import { ConfigError, suggestion } from "@milliner/core";
import type { Settings } from "../settings/settings.ts";
import { permutedMnist } from "./permuted-mnist.ts";
import { splitFashionMnist } from "./split-fashion-mnist.ts";
import { splitMnist } from "./split-mnist.ts";

/** Settings that are known to work, by name. */
export const presets: Readonly<Record<string, Settings>> = {
  "split-mnist": splitMnist,
  "permuted-mnist": permutedMnist,
  "split-fashion-mnist": splitFashionMnist,
};

/**
 * A preset by its name.
 * @param origin - where the name stands, as messages call it
 * @throws ConfigError (`UNKNOWN_PRESET`)
 */
export function presetNamed(name: string, origin = ""): Settings {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset !== undefined) return preset;
  const place = origin === "" ? "" : `${origin}: `;
  throw new ConfigError(
    "UNKNOWN_PRESET",
    `${place}there is no preset "${name}"${suggestion(name, Object.keys(presets))}`,
  );
}
