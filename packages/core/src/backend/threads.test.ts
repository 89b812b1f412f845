import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cpuStatus } from "./cpu.ts";

// Each in a process of its own: how many threads there are is decided when the addon is loaded.
const registry = fileURLToPath(new URL("../../dist/backend/registry.js", import.meta.url));
const isHere = cpuStatus().available;

function elsewhere(
  code: string,
  variables: Readonly<Record<string, string>>,
  limits: readonly string[] = [],
): unknown {
  const script = `
    const { selectBackend, setThreads } = await import(${JSON.stringify(registry)});
    const { cpuStatus } = await import(${JSON.stringify(registry.replace("registry", "cpu"))});
    ${code}`;
  const shell = [...limits, 'exec "$0" "$@"'].join("; ");
  const args = ["-c", shell, process.execPath, "--input-type=module", "-e", script];
  const output = execFileSync("sh", args, { env: { ...process.env, ...variables }, encoding: "utf8" });
  return JSON.parse(output) as unknown;
}

test.runIf(isHere).each([
  ["MILLINER_THREADS", "two", /^MILLINER_THREADS is "two", and must be a whole number from 1 to 1024\. /],
  ["MILLINER_THREADS", "0", /^MILLINER_THREADS is "0", /],
  ["MILLINER_THREADS", "4 ", /^MILLINER_THREADS is "4 ", /],
  [
    "MILLINER_ISA",
    "nonsense",
    /^MILLINER_ISA is "nonsense", which this machine does not run; it runs .*scalar/,
  ],
  [
    "MILLINER_BF16",
    "abc",
    /^MILLINER_BF16 is "abc", and must be "emulated" or "off"\. Correct or unset MILLINER_BF16\.$/,
  ],
])("%s=%s is an error that names both, whether the device was named or not", (name, value, sentence) => {
  const code = `
    const errors = [undefined, "cpu"].map((device) => {
      try {
        return selectBackend(device).name;
      } catch ({ name, code, message }) {
        return { name, code, message };
      }
    });
    console.log(JSON.stringify(errors));`;

  const error = { name: "NativeError", code: "BAD_ENVIRONMENT", message: expect.stringMatching(sentence) };
  expect(elsewhere(code, { [name]: value })).toEqual([error, error]);
});

test.runIf(isHere)("an empty variable is none", () => {
  const code = `console.log(JSON.stringify(selectBackend("cpu").name));`;

  expect(elsewhere(code, { MILLINER_THREADS: "", MILLINER_ISA: "", MILLINER_BF16: "" })).toBe("cpu");
});

// Where stacks of 1 GiB are reserved and the address space has 20, about a dozen threads can be: a limit that holds for root
// too, unlike one on processes.
test.runIf(isHere && process.platform === "linux")(
  "where the system starts some of the threads only, they compute the same bits, with one warning",
  () => {
    const code = `
      const warnings = [];
      const onWarning = (message) => warnings.push(message);
      const { kernels } = selectBackend("cpu", { onWarning });
      selectBackend("cpu", { onWarning });
      const { threads, threadsAsked } = cpuStatus();
      const [n, k, m] = [128, 300, 400];
      const fill = (count) => Float32Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i)));
      const y = new Float32Array(n * m);
      kernels.linearForward(fill(n * k), fill(m * k), null, null, null, y, n, k, m, false, 1, null);
      setThreads(200, onWarning);
      const { createHash } = await import("node:crypto");
      const bits = createHash("sha256").update(y).digest("hex");
      console.log(JSON.stringify({ threads, threadsAsked, bits, warnings }));`;
    const limits = ["ulimit -s 1048576", "ulimit -v 20000000"];

    const free = elsewhere(code, { MILLINER_THREADS: "3" }) as { readonly bits: string };
    const limited = elsewhere(code, { MILLINER_THREADS: "100" }, limits) as { readonly threads: number };

    expect(free).toMatchObject({ threads: 3, threadsAsked: 3, warnings: [] });
    expect(limited).toMatchObject({ threadsAsked: 100, bits: free.bits });
    expect(limited.threads).toBeGreaterThan(1);
    expect(limited.threads).toBeLessThan(20);
    expect(limited).toMatchObject({
      warnings: [
        expect.stringContaining(`computing on ${limited.threads} of the 100 threads that were asked for`),
        expect.stringMatching(/computing on \d+ of the 200 threads that were asked for/),
      ],
    });
  },
);

test.runIf(isHere && process.platform === "linux")(
  "where threads are refused, some are left to the event loop, which would end the process without",
  () => {
    const addon = (cpuStatus() as { readonly addon: string }).addon;
    // CommonJS: nothing has been read with the event loop's threads yet.
    const script = `
      const { running, asked } = require(${JSON.stringify(addon)}).threads();
      require("node:fs").readFile(__filename, () => console.log(JSON.stringify({ fewer: running < asked })));`;
    const shell = 'ulimit -s 1048576; ulimit -v 20000000; exec "$0" "$@"';

    const output = execFileSync("sh", ["-c", shell, process.execPath, "-e", script], {
      env: { ...process.env, MILLINER_THREADS: "100" },
      encoding: "utf8",
    });

    expect(JSON.parse(output)).toEqual({ fewer: true });
  },
);
