import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { printable } from "@milliner/core";
import { shellLine } from "./shell-line.ts";

const words = [
  "plain-word_1.0/a:b@c%d+e=f,g",
  "",
  "two words",
  "it's",
  `"$HOME" \`id\` $(id) \\n !! #{a,b}`,
  "back\\slash",
  "~",
  "=ls",
  "*?[a]",
  "a;b|c&d>e<f",
  "-dash",
  "--",
  "two\nlines",
  "ends in newlines\n\n",
  "red \u001b[31m, \rback, \ttab, bell\u0007",
  "turned \u202e, separated \u2028",
  "Zürich 帽子 🎩",
];

/** The words that a shell makes of a line. */
function read(line: string): readonly string[] {
  const { stdout, status } = spawnSync("sh", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" });
  expect(status).toBe(0);
  return stdout.split("\0").slice(0, -1);
}

test.runIf(process.platform !== "win32")(
  "a shell reads the words of a line as they were, whatever is in them",
  () => {
    expect(read(shellLine(words))).toEqual(words);
  },
);

test("a line does nothing to the terminal: of its characters that could, only newlines are left", () => {
  const left = shellLine(words, "linux").replaceAll("\n", "");

  expect(printable(left)).toBe(left);
});

test("words that need no quotes have none", () => {
  const line = ["milliner", "train", "split-mnist", "--set", "epochs=3", "--out", "runs/a"];

  expect(shellLine(line, "linux")).toBe(line.join(" "));
  expect(shellLine([...line.slice(0, -1), "C:\\runs\\a b", "C:\\runs"], "win32")).toBe(
    `milliner train split-mnist --set epochs=3 --out "C:\\runs\\a b" C:\\runs`,
  );
});
