// What `npm run soak` adds to the tests: numbers so many times larger, one seed for all that draws at random, and what was drawn.
import fc from "fast-check";
import { inject, TestRunner } from "vitest";

declare module "vitest" {
  export interface ProvidedContext {
    /** What a test's number of draws, kills or mutations is multiplied by: 1, or what MILLINER_SOAK says. */
    readonly soak: number;
  }
  export interface TaskMeta {
    /** How many times the test drew: the soak's report says it. Counted here where fast-check draws. */
    draws?: number;
  }
}

const seed = process.env["MILLINER_SOAK_SEED"];
if (inject("soak") > 1 && seed !== undefined)
  fc.configureGlobal({
    seed: Number(seed),
    reporter: (details) => {
      const meta = TestRunner.getCurrentTest()?.meta;
      if (meta) meta.draws = (meta.draws ?? 0) + details.numRuns;
      if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
    },
  });
