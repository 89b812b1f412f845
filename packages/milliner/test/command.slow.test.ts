// How the command as it is shipped ends otherwise: warnings, doctor, presets, where a run goes.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { saveFolder } from "@milliner/data";
import { describe, expect, test } from "vitest";
import { commandFolder } from "./command-folder.ts";
import { milliner, preload } from "./command-process.ts";
import { tinyDataset, tinyOptions } from "./tiny-dataset.ts";

const { folder, data, trainArgs } = commandFolder();

describe("other ends", () => {
  test("labels that count from 1 are taken, and what was left out is said on stderr and in the JSON", async () => {
    const letters = join(folder, "letters");
    const { train, test: tested, classes } = tinyDataset();
    const named = ["none", ...classes];
    const shifted = (set: typeof train): typeof train => ({
      ...set,
      labels: set.labels.map((label) => label + 1),
      classes: named,
    });
    await saveFolder(letters, {
      name: "letters",
      train: shifted(train),
      test: shifted(tested),
      classes: named,
      warnings: [],
    });
    const run = join(folder, "letters run");

    const { status, stdout, stderr } = await milliner(
      [
        "train",
        "split-mnist",
        "--data",
        letters,
        "--out",
        run,
        ...tinyOptions({ epochs: 1, controls: "none" }),
        "--json",
      ],
      folder,
    );

    expect(status, stderr).toBe(0);
    const warning = 'no training images of the class "none": it is left out.';
    expect(stderr).toContain(warning);
    const { tasks, warnings } = JSON.parse(stdout) as { tasks: string[]; warnings: string[] };
    expect(tasks).toEqual(["a, b", "c, d", "e, f"]);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  test.skipIf(process.platform === "win32").each([
    ["cannot be spawned", 'if (process.argv[2] === "train") process.execPath = "/nowhere/node";', "ENOENT"],
    ["is killed before its first word", 'if (process.argv[2] === "verify") process.abort();', "SIGABRT"],
  ])(
    "where the fresh process %s, the checkpoint has been checked, and one warning says why",
    async (how, program, reason) => {
      const run = join(folder, how);
      const variables = preload(folder, how, program);

      const { status, stdout, stderr } = await milliner(
        [...trainArgs(run, { epochs: 1, tasks: 2, controls: "none" }), "--quiet", "--json"],
        folder,
        variables,
      );

      expect(status, stderr).toBe(0);
      const sentence = `no fresh process could be started to check ${run} (${reason})`;
      expect(JSON.parse(stdout)).toMatchObject({
        bitExactCheckedIn: "checkpoint",
        bitExactOldLogits: true,
        warnings: [expect.stringContaining(sentence)],
      });
      expect(JSON.parse(readFileSync(join(run, "result.json"), "utf8"))).toMatchObject({
        bitExactCheckedIn: "checkpoint",
        warnings: [expect.stringContaining(sentence)],
      });
    },
  );

  test("a loss that is not finite ends with 1 and names the place", async () => {
    const { status, stderr } = await milliner(
      [...trainArgs(join(folder, "diverged"), { lr: 1e30, controls: "none" }), "--quiet"],
      folder,
    );

    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*task 0.*\n$/);
  });

  test("a second try after a run that came to nothing has its own settings in run.yaml", async () => {
    const run = join(folder, "second try");
    const short = { epochs: 1, tasks: 2, controls: "none" };
    mkdirSync(run);
    writeFileSync(join(run, "run.yaml"), "lr: 1e+30\n"); // killed before its first checkpoint

    const { status, stderr } = await milliner([...trainArgs(run, short), "--quiet"], folder);

    expect(status, stderr).toBe(0);
    expect(readFileSync(join(run, "run.yaml"), "utf8")).toMatch(/^lr: 0.2$/m);
  });

  test("other images than those of the run are refused, to go on with as to export and to verify", async () => {
    const run = join(folder, "own images");
    const other = join(folder, "other images");
    const inverted = tinyDataset();
    for (const { images } of [inverted.train, inverted.test])
      images.forEach((byte, i) => (images[i] = 255 - byte));
    await saveFolder(other, inverted);
    await milliner([...trainArgs(run, { epochs: 1, tasks: 2, controls: "none" }), "--quiet"], folder);

    const resumed = await milliner(
      ["train", "split-mnist", "--data", other, "--out", run, "--resume"],
      folder,
    );
    const exported = await milliner(["export", run, "--data", other], folder);
    const verified = await milliner(["verify", run, "--data", other], folder);

    for (const { status, stderr } of [resumed, exported, verified]) {
      expect(status).toBe(2);
      expect(stderr).toContain(
        `error: ${other} does not hold the images that the run was trained on (tiny images, from ${data})`,
      );
    }
  });

  test.each([
    ["MILLINER_ISA", 'MILLINER_ISA is "nonsense", which this machine does not run'],
    ["MILLINER_THREADS", 'MILLINER_THREADS is "nonsense", and must be a whole number from 1 to 1024'],
    ["MILLINER_BF16", 'MILLINER_BF16 is "nonsense", and must be "emulated" or "off"'],
  ])("%s=nonsense ends train and doctor alike, doctor behind what it found", async (name, sentence) => {
    const variables = { [name]: "nonsense" };
    const trained = await milliner(trainArgs(join(folder, name)), folder, variables);
    const examined = await milliner(["doctor"], folder, variables);
    const asJson = await milliner(["doctor", "--json"], folder, variables);

    for (const { status, stderr } of [trained, examined]) {
      expect(status).toBe(2);
      expect(stderr).toContain(`error: ${sentence}`);
    }
    expect(examined.stdout).toContain(process.version);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      versions: { node: process.version },
      error: { code: "BAD_ENVIRONMENT", message: expect.stringContaining(sentence) as string, retry: false },
    });
    expect(examined.stdout).toContain(`none: ${sentence}`);
  });

  test("the slow reference standing in is a warning in the JSON too", async () => {
    const { status, stdout } = await milliner(
      [
        ...trainArgs(join(folder, "fallback"), { epochs: 1, tasks: 2, controls: "none" }),
        "--quiet",
        "--json",
      ],
      folder,
      { MILLINER_NATIVE: join(folder, "no.node") },
    );

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      device: "reference",
      warnings: [expect.stringContaining("slow TypeScript reference")],
    });
  });

  test("doctor says what computes and why, and ends with 0, also without kernels", async () => {
    const found = await milliner(["doctor", "--json"], folder);
    const scalar = await milliner(["doctor", "--json"], folder, { MILLINER_ISA: "scalar" });
    const without = await milliner(["doctor"], folder, { MILLINER_NATIVE: join(folder, "no.node") });

    expect([found.status, scalar.status, without.status]).toEqual([0, 0, 0]);
    expect(JSON.parse(found.stdout)).toMatchObject({
      kernels: { available: true },
      versions: { node: process.version },
    });
    expect(JSON.parse(scalar.stdout)).toMatchObject({ kernels: { isa: "scalar" } });
    expect(without.stdout).toContain("MILLINER_NATIVE names");
  });

  test.runIf(process.platform === "linux")("doctor says how many threads the system refused", async () => {
    const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.url));
    // Room for about a dozen stacks of 1 GiB, also for root.
    const shell = 'ulimit -s 1048576; ulimit -v 20000000; exec "$0" "$@"';

    const text = execFileSync("sh", ["-c", shell, process.execPath, command, "doctor"], {
      env: { ...process.env, MILLINER_THREADS: "100" },
      encoding: "utf8",
    });

    expect(text).toMatch(/^threads +\d+ of 100: the system starts no more/m);
  });

  test("presets are listed, and one is printed as YAML", async () => {
    const list = await milliner(["presets"], folder);
    const one = await milliner(["presets", "permuted-mnist"], folder);

    expect(list.stdout).toContain("split-fashion-mnist");
    expect(one.stdout).toMatch(/^name: permuted-mnist$/m);
    expect(one.stdout).toMatch(/^width: 1000$/m);
  });

  test("without a place a run goes to runs/, numbered where one is there", async () => {
    const home = join(folder, "home");
    mkdirSync(home);
    const args = [
      "train",
      "split-mnist",
      "--data",
      data,
      ...tinyOptions({ epochs: 1, tasks: 2, controls: "none" }),
      "--quiet",
    ];

    await milliner(args, home);
    await milliner(args, home);

    expect(readdirSync(join(home, "runs")).toSorted()).toEqual([
      "split-mnist-seed-0",
      "split-mnist-seed-0-2",
    ]);
  });
});
