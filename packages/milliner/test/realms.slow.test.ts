import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");

test.each(["vmForks", "vmThreads"])(
  "in a realm of its own (%s), as Jest gives one to each file of tests, all works as elsewhere",
  (pool) => {
    const args = ["run", "--project", "unit", "--pool", pool, "packages/milliner/test/realm.test.ts"];

    const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, ...args], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, MILLINER_TESTS_REALM: "other", NO_COLOR: "1" },
    });

    expect(status, `${stdout}${stderr}`).toBe(0);
  },
);
