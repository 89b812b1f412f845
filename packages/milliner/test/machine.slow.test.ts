import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveFolder } from "@milliner/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, milliner, preload } from "./command-process.ts";
import { tinyDataset, tinyOptions } from "./tiny-dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner-machine-"));
const data = join(folder, "images");
beforeAll(() => saveFolder(data, tinyDataset()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const args = [
  "train",
  "split-mnist",
  "--data",
  data,
  ...tinyOptions({ epochs: 1, tasks: 2, controls: "none" }),
];

test.runIf(process.platform === "linux").each([
  ["a run's folder in /proc", [...args, "--out", "/proc/runs/first"], folder],
  ["a working folder in /proc", args, "/proc"],
])("%s ends with 2 and a sentence", async (_, words, workingFolder) => {
  const { status, stderr } = await milliner(words, workingFolder);

  expect(status).toBe(2);
  expect(stderr).toMatch(/error: \/proc\/runs\S* cannot be written \(ENOENT\)/);
});

test.runIf(process.platform === "linux")(
  "a working folder that is deleted ends with 2 and a sentence",
  () => {
    const gone = join(folder, "gone");
    mkdirSync(gone);

    const { status, stderr } = spawnSync(
      "sh",
      ["-c", 'rmdir "$PWD" && exec "$0" "$@"', process.execPath, command, ...args],
      { cwd: gone, encoding: "utf8" },
    );

    expect(status).toBe(2);
    expect(stderr).toBe(
      "error: the folder that the command was started in does not exist any more; change to one that does\n",
    );
  },
);

test.each([1, 2])(
  "what the command says may go to a file in the run's own folder (descriptor %i)",
  (descriptor) => {
    const run = join(folder, `said-${descriptor}`);
    mkdirSync(run);

    const { status, stderr } = spawnSync(
      "sh",
      [
        "-c",
        `exec "$0" "$@" ${descriptor}> ${run}/said.txt`,
        process.execPath,
        command,
        ...args,
        "--out",
        run,
      ],
      { encoding: "utf8" },
    );

    expect(status, stderr).toBe(0);
    expect(readdirSync(run)).toEqual(expect.arrayContaining(["result.json", "said.txt"]));
  },
);

test("what else is loaded may write to stdout: the check in a fresh process hears only its own", async () => {
  const noise = preload(
    folder,
    "noise",
    `console.log("loaded"); process.on("exit", () => console.log('{"checkpoint": 1}'));`,
  );
  const run = join(folder, "noisy");

  const { status, stdout, stderr } = await milliner([...args, "--out", run], folder, noise);

  expect(status, stderr).toBe(0);
  expect(stdout).toContain("checked in a fresh process");
});

test("a run needs no FileHandle.sync, which the handles of Yarn's Plug'n'Play lack", async () => {
  const lacking = preload(
    folder,
    "lacking",
    `const files = require("node:fs/promises");
    const { open } = files;
    files.open = async (...args) => {
      const handle = await open(...args);
      for (const name of ["sync", "datasync"])
        handle[name] = () => { throw new Error("Method not implemented."); };
      return handle;
    };
    require("node:module").syncBuiltinESMExports();`,
  );

  const { status, stderr } = await milliner([...args, "--out", join(folder, "unsynced")], folder, lacking);

  expect(status, stderr).toBe(0);
});

describe("under Node's permission model, which refuses to sync files", () => {
  const run = join(folder, "permitted");
  const flag = Number.parseInt(process.versions.node, 10) < 23 ? "--experimental-permission" : "--permission";
  test.each([
    ["train", [...args, "--out", run]],
    ["report", ["report", run]],
    ["export", ["export", run]],
  ])("%s does all its work, and says once that a power cut may take what is newest", (_, words) => {
    const permissions = [flag, "--allow-fs-read=*", `--allow-fs-write=${folder}/*`];

    const { status, stderr } = spawnSync(process.execPath, [...permissions, command, ...words], {
      cwd: folder,
      encoding: "utf8",
    });

    expect(status, stderr).toBe(0);
    expect(stderr.match(/warning: .* when data are safe \(ERR_ACCESS_DENIED\)/g)).toHaveLength(1);
  });

  test("what it refuses else is told with the flag that allows it, not with a remedy that does not help", () => {
    const told = [
      [[...args, "--out", join(folder, "refused")], "--allow-addons", "--allow-child-process"],
      [["export", join(folder, "permitted")], "--allow-addons"],
    ] as const;

    for (const [words, ...flags] of told) {
      const { status, stderr } = spawnSync(
        process.execPath,
        [flag, "--allow-fs-read=*", `--allow-fs-write=${folder}/*`, command, ...words],
        { cwd: folder, encoding: "utf8" },
      );

      expect(status, stderr).toBe(0);
      for (const allowing of flags) expect(stderr).toMatch(new RegExp(`warning: .*${allowing}`));
      expect(stderr).not.toMatch(/milliner-native-build|install it|a limit on processes/);
    }
  });
});
