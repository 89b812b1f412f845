import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LineProcess } from "./line-process.ts";

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

// What native/CMakeLists.txt compiles the kernels of an instruction set with, as far as this loop depends on it.
const flags: Readonly<Record<string, readonly string[]>> = {
  scalar: [],
  neon: [],
  avx2: ["-mavx2", "-mfma"],
  avx512: [
    "-mavx2",
    "-mfma",
    "-mavx512f",
    "-mavx512vl",
    "-mavx512dq",
    "-mavx512bw",
    "-mprefer-vector-width=512",
  ],
};

/** Samples of the FMA peak of one core, with the vectors that the kernels use. */
export interface FmaPeak {
  /** Takes one sample, about 2 ms. */
  sample(): Promise<void>;
  /** The largest sample so far, in GFLOP/s. */
  readonly gflops: number;
  close(): void;
}

/** Compiles the loop for `isa`; null when there is no compiler, since no figure but the shares depends on it. */
export function startFmaPeak(isa: string): FmaPeak | null {
  const options = flags[isa];
  if (options === undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "milliner-peak-"));
  const program = join(folder, "fma-peak");
  const standard = ["-std=c++20", "-O3", "-fno-math-errno", "-ffp-contract=off"];
  const set = [`-DMILLINER_SET=${isa}`, `-DMILLINER_SET_${isa.toUpperCase()}=1`, "-I", here("../native")];
  const sources = [here("peers/fma_peak.cc"), here("../native/bench/peak.cc")];
  const compiler = process.env["CXX"] ?? "c++";
  const { status } = spawnSync(compiler, [...standard, ...options, ...set, ...sources, "-o", program]);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (status !== 0) {
    remove();
    return null;
  }
  const loop = new LineProcess(program, []);
  let gflops = 0;
  return {
    async sample() {
      const answer = (await loop.ask({})) as { readonly gflops: number };
      gflops = Math.max(gflops, answer.gflops);
    },
    get gflops() {
      return gflops;
    },
    close() {
      loop.close();
      remove();
    },
  };
}
