import { defineConfig } from "vitest/config";

// Tests run on the sources: `milliner-source` is the condition that every package's exports answer with its src/. Naming
// conditions replaces the defaults, so these are repeated; imports of tests and of packages resolve by separate lists.
const conditions = ["milliner-source", "module", "node", "development|production"];
const sources = { resolve: { conditions }, ssr: { resolve: { conditions } } };

// There to end what hangs, for good: how long a test takes on a busy machine says nothing about the code. Some compile the addon.
const hang = { testTimeout: 1_800_000, hookTimeout: 3_600_000 };

// How many times the usual number of draws, kills and mutations a test takes: `npm run soak` asks for more than one.
const soak = Number(process.env["MILLINER_SOAK"] ?? 1);
const numbers = { provide: { soak }, setupFiles: soak > 1 ? ["test/soak.ts"] : [] };

const slow = ["test/**/*.test.ts", "{packages/*,native}/**/*.slow.test.ts"];

export default defineConfig({
  ...sources,
  test: {
    // One process per worker: a crash of the addon ends one file, and a file can set MILLINER_ISA for itself.
    pool: "forks",
    maxWorkers: "100%", // one on each processor: by itself, vitest leaves one free, which is half of two
    projects: [
      {
        ...sources,
        test: {
          name: "unit",
          include: [
            "benchmarks/src/**/*.test.ts",
            "native/src/**/*.test.ts",
            "native/test/**/*.test.ts",
            "packages/*/src/**/*.test.ts",
            "packages/*/test/**/*.test.ts",
          ],
          exclude: [...slow, "**/node_modules/**", "**/dist/**"],
          ...hang,
          ...numbers,
        },
      },
      {
        ...sources,
        test: {
          name: "slow",
          include: slow,
          exclude: ["**/node_modules/**", "**/dist/**"],
          ...hang,
          ...numbers,
        },
      },
    ],
  },
});
