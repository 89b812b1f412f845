// The packages as a stranger gets them: packed, installed from the tarballs with npm into an empty folder outside the
// repository (whose name has a space in it), the addon built from the packed sources.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digitsFolder } from "../examples/demo/src/digits.ts";
import { codeBlocks } from "../scripts/markdown.mjs";
import { packages, pnpmProgram, root } from "../scripts/workspace.mjs";
import { runCommand, transcript } from "./command.ts";

const published = packages().filter(({ manifest }) => manifest.private !== true);
const outside = realpathSync(mkdtempSync(join(tmpdir(), "milliner packed ")));
const tarballs = new Map<string, string>();

beforeAll(async () => {
  for (const { folder, manifest } of published) {
    const target = join(outside, "tarballs", manifest.name.replace("/", "-"));
    mkdirSync(target, { recursive: true });
    const packed = await runCommand(
      process.execPath,
      [pnpmProgram(), "pack", "--pack-destination", target],
      join(root, folder),
    );
    expect(packed.status, transcript(packed)).toBe(0);
    tarballs.set(manifest.name, join(target, readdirSync(target)[0]!));
  }
});

afterAll(() => rmSync(outside, { recursive: true, force: true }));

test.each(published)(
  "$manifest.name packs its licence and its compiled sources, and no test",
  async ({ manifest }) => {
    const listed = await runCommand("tar", ["-tzf", tarballs.get(manifest.name)!], outside);

    const files = listed.stdout.trim().split("\n");
    const entries = Object.values(manifest.exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    expect(files).toEqual(
      expect.arrayContaining(["package/LICENSE", ...entries.map((path) => path.replace("./", "package/"))]),
    );
    expect(files.filter((path) => /\.test\.|\.tsbuildinfo$|\/node_modules\//.test(path))).toEqual([]);
  },
);

/** The mean accuracy of five tasks of two digits each, by nobody but onnxruntime, from the bytes of the image file. */
const serve = `
  import { readFileSync } from "node:fs";
  import * as ort from "onnxruntime-node";
  const images = readFileSync("digits/t10k-images-idx3-ubyte").subarray(16);
  const labels = readFileSync("digits/t10k-labels-idx1-ubyte").subarray(8);
  let sum = 0;
  for (let task = 0; task < 5; task++) {
    const session = await ort.InferenceSession.create(\`task-\${task}.onnx\`);
    const asked = [...labels.keys()].filter((image) => labels[image] >> 1 === task);
    let right = 0;
    for (const image of asked) {
      const x = new ort.Tensor("uint8", images.subarray(image * 784, (image + 1) * 784), [1, 28, 28, 1]);
      const { data } = (await session.run({ x })).logits;
      if (data[1] > data[0] === (labels[image] % 2 === 1)) right++;
    }
    sum += right / asked.length;
  }
  console.log(sum / 5);`;

describe("the command", () => {
  const project = join(outside, "a project");

  beforeAll(async () => {
    await install(project, [...tarballs.keys()]);
    // Read by cmake-js. That these sources compile is seen as well, in half the time; no bit depends on it.
    const settings = join(project, ".npmrc");
    writeFileSync(settings, "cmake_MILLINER_OPTIMISATION=-O1\n");
    const built = await runCommand("npx", ["milliner-native-build"], project);
    expect(built.status, transcript(built)).toBe(0);
    rmSync(settings);
    const cache = join(project, "node_modules", "@milliner", "native", "build", "CMakeCache.txt");
    expect(readFileSync(cache, "utf8")).toMatch(/^MILLINER_OPTIMISATION:.*=-O1$/m);
  });

  test("finds nothing wrong with the addon that was built from the packed sources", async () => {
    // npm itself may have something to say about the machine's configuration.
    const doctor = await runCommand("npx", ["milliner", "doctor"], project, { npm_config_loglevel: "error" });

    expect(doctor.status, transcript(doctor)).toBe(0);
    expect(doctor.stderr).toBe("");
  });

  test("the files of its README's example, given bytes of dark digits on white, are as accurate as it says", async () => {
    const page = readFileSync(join(root, "README.md"), "utf8");
    const example = codeBlocks(page).find(
      ({ language, directives }) => language === "ts" && !directives.has("no-run"),
    );
    writeFileSync(join(project, "example.ts"), example!.code);
    cpSync(await digitsFolder(), join(project, "digits"), { recursive: true });
    // On these a model that is not normalised as in training guesses: most bytes are 255, and not 0.
    for (const name of ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"]) {
      const file = join(project, "digits", name);
      writeFileSync(
        file,
        readFileSync(file).map((byte, at) => (at < 16 ? byte : 255 - byte)),
      );
    }
    await compile(project, { module: "nodenext" }, "example.ts");
    const runtime = join("node_modules", "onnxruntime-node"); // what a user installs beside them
    symlinkSync(join(root, "packages", "onnx", runtime), join(project, runtime), "dir");
    writeFileSync(join(project, "serve.js"), serve);

    const run = await runCommand(process.execPath, ["example.js"], project);
    const served = await runCommand(process.execPath, ["serve.js"], project);

    expect(run.status, transcript(run)).toBe(0);
    expect(served.status, transcript(served)).toBe(0);
    const [, accuracy] = /^accuracy ([\d.]+),/.exec(run.stdout) ?? [];
    expect(Number(served.stdout)).toBeCloseTo(Number(accuracy), 12);
    expect(Number(served.stdout)).toBeGreaterThan(0.95);
  });

  test.each([{ module: "nodenext" }, { module: "esnext", moduleResolution: "bundler" }])(
    "every public name has its type under %o",
    async (options) => {
      const entries = published.flatMap(({ manifest }) =>
        Object.keys(manifest.exports).map((path) => manifest.name + path.slice(1)),
      );
      const lines = entries.map(
        (entry, index) => `import * as entry${index} from ${JSON.stringify(entry)};\nvoid entry${index};`,
      );
      writeFileSync(join(project, "imports.ts"), lines.join("\n"));

      await compile(project, { ...options, noEmit: true, skipLibCheck: false }, "imports.ts");
    },
  );
});

describe.each([
  {
    name: "@milliner/core",
    program: `
      import { forward, initialise, linear, network, selectBackend, tensor } from "@milliner/core";
      const backend = selectBackend();
      const net = network([2], linear(3));
      const logits = forward(net, initialise(net, { backend, seed: 0 }), tensor([1, 2], [1, 2], { backend }));
      console.log(logits.shape.join());`,
    output: "1,3",
  },
  {
    name: "@milliner/hat",
    program: `
      import { linear, flatten, network, relu, selectBackend } from "@milliner/core";
      import { publishedSchedule, run } from "@milliner/continual";
      import { syntheticScenario } from "@milliner/continual/testing";
      import { Hat, prune } from "@milliner/hat";
      const backend = selectBackend();
      const scenario = syntheticScenario();
      const body = network(scenario.inputShape, flatten(), linear(16), relu());
      const hat = new Hat({ body, backend, seed: 0, schedule: { ...publishedSchedule, epochs: 4 } });
      const { bitExactOldLogits } = await run(scenario, hat, { seed: 0, backend });
      console.log(bitExactOldLogits, prune(hat, 0).network.output);`,
    output: "true heads.0",
  },
  {
    name: "@milliner/onnx",
    program: `
      import { initialise, linear, network, selectBackend } from "@milliner/core";
      import { exportNetwork, inspectModel } from "@milliner/onnx";
      const net = network([2], linear(3));
      const model = exportNetwork(net, initialise(net, { backend: selectBackend(), seed: 0 }), { transform: "none" });
      console.log(inspectModel(model, "linear.onnx").opset);`,
    output: "17",
  },
])("$name", ({ name, program, output }) => {
  test("works without the command, and says what to do for faster kernels", async () => {
    const project = join(outside, `only ${name.replace("/", "-")}`);
    await install(project, [name]);
    writeFileSync(join(project, "program.js"), program);

    const run = await runCommand(process.execPath, ["program.js"], project);

    expect(run.status, transcript(run)).toBe(0);
    expect(run.stdout.trim()).toBe(output);
    expect(run.stderr).toContain("npx milliner-native-build");
  });
});

/** A project with some of the packages, each and all that they need from its tarball. */
async function install(folder: string, names: readonly string[]): Promise<void> {
  const addresses = [...tarballs].map(([name, path]) => [name, `file:${path}`] as const);
  const manifest = {
    private: true,
    type: "module",
    dependencies: Object.fromEntries(addresses.filter(([name]) => names.includes(name))),
    overrides: Object.fromEntries(addresses),
  };
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const installed = await runCommand(
    "npm",
    ["install", "--no-audit", "--no-fund", "--loglevel=error"],
    folder,
  );
  expect(installed.status, transcript(installed)).toBe(0);
}

/** The workspace's compiler on one file of a project. Node's own types are the only thing that a project has to add. */
async function compile(folder: string, options: Record<string, unknown>, file: string): Promise<void> {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023"],
    strict: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
    ...options,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  const compiled = await runCommand("tsc", ["--project", folder], folder);
  expect(compiled.status, transcript(compiled)).toBe(0);
}
