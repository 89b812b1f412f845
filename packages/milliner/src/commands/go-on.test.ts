import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { goOnLine } from "./go-on.ts";

afterEach(() => vi.unstubAllEnvs());

/** The words that a shell gives to the command. */
function pasted(line: string): readonly string[] {
  const { stdout } = spawnSync("sh", ["-c", `milliner() { printf '%s\\0' "$@"; }; ${line}`], {
    encoding: "utf8",
  });
  return stdout.split("\0").slice(0, -1);
}

test
  .runIf(process.platform !== "win32")
  .each(["two words", "back\\slash", "it's $HOME", "`id`\\", "a\nb", "\u001b[2J", "-r"])(
  "pasted into a shell, the line to go on names the folder %j and every word that was given",
  (name) => {
    vi.stubEnv("npm_config_user_agent", "");
    const args = ["train", name, "--set", `data=${name}`];

    const unplaced = goOnLine(args, {}, resolve(name, "run"));
    const placed = goOnLine([...args, "--out", name], { out: name }, resolve(name));

    expect(pasted(unplaced)).toEqual([...args, "--out", join(name, "run"), "--resume"]);
    expect(pasted(placed)).toEqual([...args, "--out", name, "--resume"]);
  },
);

test("behind -- no word is an option, so what is added stands before it", () => {
  vi.stubEnv("npm_config_user_agent", "");

  const line = goOnLine(["--debug", "train", "--quiet", "--", "-x.yaml"], {}, resolve("run"));

  expect(line).toBe("milliner --debug train --out run --resume --quiet -- -x.yaml");
});
