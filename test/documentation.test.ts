// Every code block of README.md, CONTRIBUTING.md and docs/ does what its page says.
//
// The blocks of one page run in their order, in one folder that sees the workspace's folders by their names, and `digits`:
// the demo's 10,000 digits as IDX files. TypeScript
// blocks are checked and compiled against the built packages; shell blocks stop at the first line that fails. Comments
// on the lines before a block say more:
//
//   <!-- output -->           this block is what the one before it prints: "..." stands for any text, on a line of its own
//                             for any lines
//   <!-- file: NAME -->       this block is a file that later blocks use
//   <!-- continues -->        this TypeScript block goes on from the one before it
//   <!-- no-run: REASON -->   this block is not run
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { digitsFolder } from "../examples/demo/src/digits.ts";
import { codeBlocks, type CodeBlock } from "../scripts/markdown.mjs";
import { trackedFiles } from "../scripts/tracked-files.mjs";
import { packages, root } from "../scripts/workspace.mjs";
import { runCommand, transcript, type CommandResult } from "./command.ts";

/** What brought the reader here, or what runs this test. */
const surroundings = /^\s*(git clone .*|cd milliner|npm (test|run check|install .*)|#.*)?\s*$/;

const isTypescript = (language: string): boolean => /^(ts|typescript)$/.test(language);
const isShell = (language: string): boolean => /^(bash|sh|shell)$/.test(language);

interface Example {
  readonly title: string;
  readonly run: () => Promise<CommandResult>;
  output?: string;
}

const pages = trackedFiles().filter((path) => /^(README|CONTRIBUTING|docs\/.*)\.md$/.test(path));

for (const page of pages) {
  const blocks = codeBlocks(readFileSync(join(root, page), "utf8"));
  const folder = join(root, ".cache", "documentation", page.replace(/\W+/g, "-"));
  const programs = typescriptPrograms(blocks);
  const examples = examplesOf(blocks, folder);
  if (examples.length === 0) continue;

  describe(page, { sequential: true }, () => {
    beforeAll(async () => layOut(folder, programs, await digitsFolder()));

    if (programs.size > 0)
      test("its TypeScript has no type error", async () => {
        const compiled = await runCommand("tsc", ["--project", join(folder, "code")], folder);

        expect(compiled.status, transcript(compiled)).toBe(0);
      });

    for (const { title, run, output } of examples)
      test(title, async () => {
        const result = await run();

        expect(result.status, transcript(result)).toBe(0);
        if (output !== undefined) expect(result.stdout.trimEnd()).toMatch(outputPattern(output));
      });
  });
}

test("every block is run, or is a picture or an output, or says why it is not run", () => {
  for (const page of pages)
    for (const { language, line, directives } of codeBlocks(readFileSync(join(root, page), "utf8"))) {
      const used =
        isTypescript(language) || isShell(language) || directives.has("output") || directives.has("file");
      const reason = directives.get("no-run") ?? (used || /^(mermaid|text)$/.test(language) ? undefined : "");

      expect(reason, `${page}:${line} (${language || "no language"})`).not.toBe("");
    }
});

/** The page's TypeScript by the line of its block, what `continues` joined already. */
function typescriptPrograms(blocks: readonly CodeBlock[]): Map<number, string> {
  const programs = new Map<number, string>();
  let started = 0;
  for (const { language, code, line, directives } of blocks) {
    if (!isTypescript(language) || directives.has("no-run") || directives.has("file")) continue;
    if (directives.has("continues")) programs.set(started, `${programs.get(started)}\n${code}`);
    else programs.set((started = line), code);
  }
  return programs;
}

function examplesOf(blocks: readonly CodeBlock[], folder: string): Example[] {
  const examples: Example[] = [];
  for (const { language, code, line, directives } of blocks) {
    if (directives.has("no-run") || directives.has("continues")) continue;
    const file = directives.get("file");
    if (directives.has("output")) {
      const before = examples.at(-1);
      if (before === undefined) throw new Error(`the output at line ${line} follows no example`);
      before.output = code;
    } else if (file !== undefined) {
      examples.push({ title: `line ${line}: ${file}`, run: () => writeFile(join(folder, file), code) });
    } else if (isTypescript(language)) {
      const program = join(folder, "code", `line-${line}.js`);
      examples.push({
        title: `line ${line}: TypeScript`,
        run: () => runCommand(process.execPath, [program], folder),
      });
    } else if (isShell(language)) {
      const lines = code.split("\n").filter((command) => !surroundings.test(command));
      const [first] = lines;
      if (first !== undefined)
        examples.push({
          title: `line ${line}: ${first}`,
          run: () => runCommand("bash", ["-ec", lines.join("\n")], folder),
        });
    }
  }
  return examples;
}

function writeFile(path: string, text: string): Promise<CommandResult> {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${text}\n`);
  return Promise.resolve({ status: 0, stdout: "", stderr: "" });
}

/**
 * A folder for one page. The packages are linked beside the code and not here, so that npm and npx, which look for the
 * nearest `node_modules`, still find the workspace.
 */
function layOut(folder: string, programs: ReadonlyMap<number, string>, digits: string): void {
  rmSync(folder, { recursive: true, force: true });
  const code = join(folder, "code");
  mkdirSync(join(code, "node_modules", "@milliner"), { recursive: true });
  for (const entry of readdirSync(root, { withFileTypes: true }))
    if (entry.isDirectory() && !/^(\.|node_modules$|build|runs$)/.test(entry.name))
      symlinkSync(join(root, entry.name), join(folder, entry.name), "dir");
  symlinkSync(digits, join(folder, "digits"), "dir");
  const runtime = "onnxruntime-node"; // what a user installs beside @milliner/onnx
  symlinkSync(
    join(root, "packages", "onnx", "node_modules", runtime),
    join(code, "node_modules", runtime),
    "dir",
  );
  for (const { folder: at, manifest } of packages())
    if (manifest.private !== true)
      symlinkSync(join(root, at), join(code, "node_modules", manifest.name), "dir");

  for (const [line, text] of programs) writeFileSync(join(code, `line-${line}.ts`), text);
  writeFileSync(join(code, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  };
  writeFileSync(join(code, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
}

function outputPattern(expected: string): RegExp {
  const lines = expected.trimEnd().split("\n");
  const patterns = lines.map((line, index) =>
    line.trim() === "..."
      ? index === lines.length - 1
        ? "[^]*"
        : "(?:.*\n)*?"
      : `${line.trimEnd().split("...").map(escaped).join(".*")}[ \t]*(?:\n|$)`,
  );
  return new RegExp(`^${patterns.join("")}$`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
