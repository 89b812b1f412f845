// Which tests failed, one line each, from what the test programs leave behind: the head of a long log is often not kept.
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./workspace.mjs";

/**
 * The tests, and the files, that failed in a run of vitest.
 *
 * @param {object} report - of its reporter "json"
 * @returns {string[]}
 */
export function failedInVitest({ testResults }) {
  return testResults
    .filter(({ status }) => status === "failed")
    .toSorted((a, b) => (a.name < b.name ? -1 : 1)) // and not as they came to their end
    .flatMap(({ name, message, assertionResults }) => {
      const file = relative(root, name);
      const failed = assertionResults.filter(({ status }) => status === "failed");
      if (failed.length === 0) return [`${file}: ${firstLine(message)}`]; // it did not get as far as its tests
      return failed.map(
        ({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages[0] ?? "")}`,
      );
    });
}

/**
 * The cases that failed in the last run of ctest, each under the name of its test.
 *
 * @param {string} folder - of the build
 * @returns {string[]}
 */
export function failedInCtest(folder) {
  const log = join(folder, "Testing", "Temporary", "LastTest.log");
  if (!existsSync(log)) return [];
  const tests = readFileSync(log, "utf8").matchAll(
    /^\d+\/\d+ Testing: (?<name>.+)$[^]*?^Output:\n-+\n(?<output>[^]*?)<end of output>\n(?<end>[^]*?)^"/gm,
  );
  return [...tests]
    .filter(({ groups }) => !/^Test (Passed|Skipped)\.$/m.test(groups.end))
    .flatMap(({ groups: { name, output, end } }) => {
      const cases = output.match(/^FAILED .+|.*\b(ERROR: |runtime error: ).+/gm) ?? [
        end.trim().split("\n").at(-1),
      ];
      return cases.map((text) => `${name}: ${text}`);
    });
}

/** Without the colours of a terminal. */
function firstLine(text) {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/\u001B\[[\d;]*m/g, "").split("\n")[0];
}
