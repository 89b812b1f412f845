import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveFolder } from "@milliner/data";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { tinyDataset, tinySettings } from "../test/tiny-dataset.ts";
import { loadData } from "./data-source.ts";
import { exportRun } from "./export-run.ts";
import { splitMnist } from "./presets/split-mnist.ts";
import { train } from "./train.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner data "));
const own = join(folder, "my hats");
beforeAll(() => saveFolder(own, tinyDataset()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("own images bear the name of their folder in the run and its files, not that of a preset's data set", async () => {
  const out = join(folder, "run");
  const settings = { ...tinySettings, data: own, epochs: 1, tasks: 1, controls: [] };

  const { result, settings: resolved } = await train({ settings, out, threads: 1, verify: false });
  await exportRun(out, { verify: "off", threads: 1 });

  expect(result.scenario).toBe("split-my hats");
  expect(resolved.dataset).toBeNull();
  const written = parse(readFileSync(join(out, "run.yaml"), "utf8")) as Record<string, unknown>;
  expect(written).toMatchObject({ dataset: null, data: own, run: { source: "folder", dataset: "my hats" } });
  const model = readFileSync(join(out, "onnx", "task-0.onnx"), "latin1");
  expect(model).toContain("split-my hats task 0");
  expect(model).not.toContain("mnist");
  await expect(
    train({ settings: { ...settings, tasks: 4 }, out: join(folder, "refused"), threads: 1 }),
  ).rejects.toThrow(/^"my hats" has 6 classes, .*; tasks may be 1 to 3$/);
});

test("a run of own images goes on, and is the same run, where these lie in a folder of another name", async () => {
  const out = join(folder, "moved");
  const settings = { ...tinySettings, data: own, epochs: 1, tasks: 2, controls: [] };
  const [controller, reason] = [new AbortController(), new Error("enough")];
  const aborted = train({
    settings,
    out,
    threads: 1,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === "task-ended") controller.abort(reason);
    },
  });
  await expect(aborted).rejects.toBe(reason);
  const elsewhere = join(folder, "elsewhere");
  symlinkSync(own, elsewhere);

  const { result } = await train({ settings: { data: elsewhere }, out, resume: true, threads: 1 });

  expect(result.scenario).toBe("split-my hats");
  expect(result.bitExactOldLogits).toBe(true);
});

test("a folder that holds a published data set bears its name, whatever it is called and whatever was asked for", async ({
  skip,
}) => {
  const debian = "/usr/share/datasets/fashion-mnist";
  skip(!existsSync(debian), "the package dataset-fashion-mnist is not installed");
  const clothes = join(folder, "clothes");
  symlinkSync(debian, clothes);

  const { dataset, published } = await loadData({ ...splitMnist, data: clothes });

  expect(published).toBe("fashion-mnist");
  expect(dataset.name).toBe("fashion-mnist");
  expect(dataset.classes[9]).toBe("Ankle boot");
});

test("other images than those of the run are refused by the folder that was given", async () => {
  const [out, other] = [join(folder, "held"), join(folder, "inverted")];
  await train({
    settings: { ...tinySettings, data: own, epochs: 1, tasks: 1, controls: [] },
    out,
    threads: 1,
    verify: false,
  });
  const inverted = tinyDataset();
  for (const { images } of [inverted.train, inverted.test])
    images.forEach((byte, i) => (images[i] = 255 - byte));
  await saveFolder(other, inverted);

  await expect(exportRun(out, { data: other, threads: 1 })).rejects.toMatchObject({
    code: "OTHER_DATA",
    message: `${other} does not hold the images that the run was trained on (my hats, from ${own}); name their folder with --data`,
  });
});

test("images that are gone are asked for by the folder that had them and the option that names another", async () => {
  const [out, gone] = [join(folder, "left behind"), join(folder, "gone hats")];
  await saveFolder(gone, tinyDataset());
  await train({
    settings: { ...tinySettings, data: gone, epochs: 1, tasks: 1, controls: [] },
    out,
    threads: 1,
    verify: false,
  });
  rmSync(gone, { recursive: true });

  await expect(exportRun(out, { threads: 1 })).rejects.toMatchObject({
    code: "FILE_MISSING",
    message: `${gone}, which had the run's images (gone hats), does not exist; check the path, or name it with --data`,
  });
});

test("a range belongs to a folder of own images", async () => {
  await expect(loadData({ ...splitMnist, range: [0, 1] })).rejects.toMatchObject({
    name: "ConfigError",
    code: "CONFLICTING_OPTIONS",
  });
  await expect(loadData({ ...splitMnist, data: own, range: [0, 1] })).rejects.toMatchObject({
    name: "DataError",
    code: "BAD_OPTION",
  });
});
