// Brings a checkout to "built", from nothing but Node, npm, cmake and a C++ compiler: gets the pinned pnpm, installs the
// locked dependencies, builds all packages. Does nothing, and says nothing, when all of that is up to date.
//
//   node scripts/setup.mjs
//
// It runs before anything is installed, so it may import nothing from npm. All it prints goes to stderr: stdout belongs
// to the command that follows it (`npm run demo`).
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ownEnvironment } from "./environment.mjs";
import { manifestOf, manifestPaths, pnpmFolder, pnpmProgram, root } from "./workspace.mjs";

const cache = join(root, ".cache");

refuseOldNode(20, 19);
const env = environment();
install();
await build();

function refuseOldNode(major, minor) {
  const [ours, oursMinor] = process.versions.node.split(".").map(Number);
  if (ours > major || (ours === major && oursMinor >= minor)) return;
  fail(
    `this is Node ${process.versions.node}; install Node ${major}.${minor} or newer, then run this again.`,
  );
}

/** The environment of every program started here. */
function environment() {
  const result = {
    DO_NOT_TRACK: "1",
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    ...ownEnvironment(),
  };
  result.PATH = join(pnpmFolder(), "node_modules", ".bin") + delimiter + (result.PATH ?? ""); // turbo looks for pnpm there
  Object.assign(result, writableHome());
  result.MILLINER_TOOLCHAIN = toolchain(result);
  return result;
}

/** In a HOME that cannot be written, npm never comes to an end: give it one inside the checkout. */
function writableHome() {
  const home = homedir();
  try {
    if (!existsSync(home)) mkdirSync(home); // not recursive: below /proc, Node would try for ever
    accessSync(home, constants.W_OK);
    return {};
  } catch {
    const substitute = join(cache, "home");
    mkdirSync(substitute, { recursive: true });
    say(`the home folder ${home} cannot be written; using ${substitute} for package caches.`);
    const settings = join(home, ".npmrc");
    return { HOME: substitute, ...(existsSync(settings) && { npm_config_userconfig: settings }) };
  }
}

/** The build cache's key knows files and variables, not compilers: name them in a variable. */
function toolchain(variables) {
  const programs = [
    ["cmake", "--version"],
    [variables.CXX ?? "c++", "--version"],
    [variables.CUDACXX ?? "nvcc", "--version"],
  ];
  const versions = programs.map(([program, ...args]) => {
    const { status, stdout } = spawnSync(program, args, { env: variables, encoding: "utf8" });
    return status === 0 ? stdout.trim().replace(/\s+/g, " ").slice(0, 300) : `no ${program}`;
  });
  return [process.version, process.arch, ...versions].join("; ");
}

function install() {
  const mark = join(root, "node_modules", ".milliner-setup");
  const wanted = fingerprint();
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return;

  say("installing the locked dependencies (half a minute the first time)");
  run(process.execPath, [
    pnpm(),
    "install",
    "--frozen-lockfile",
    "--reporter=append-only",
    "--loglevel=warn",
  ]);
  writeFileSync(mark, wanted);
}

/** Changes whenever another set of dependencies would be installed. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.version} ${process.arch}`);
  for (const path of [...manifestPaths(), "pnpm-workspace.yaml", "pnpm-lock.yaml"])
    hash.update(`\n${path}\n`).update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

/** The path of the pinned pnpm, fetched on first use. */
function pnpm() {
  const program = pnpmProgram();
  if (existsSync(program)) return program;

  const folder = pnpmFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  // By working directory, not by --prefix: that also moves npm's global configuration, and a registry set there is lost.
  run("npm", ["install", ...quiet, manifestOf("").packageManager], { cwd: folder });
  return program;
}

function run(program, args, options) {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: root,
    env,
    stdio: ["ignore", 2, 2],
    ...options,
  });
  if (error) fail(`${program} could not be started: ${error.message}`);
  if (status !== 0)
    fail(`"${program} ${args.join(" ")}" ended with ${status ?? signal}; its own message is above.`);
}

/** All packages, lowest floor first; turbo skips what it has built before. Its output is shown only if it fails. */
async function build() {
  const started = performance.now();
  const announcement = setTimeout(() => say("building the packages and the native addon"), 1500);
  const turbo = join(root, "node_modules", "turbo", "bin", "turbo");
  const args = [
    turbo,
    "run",
    "build",
    "--continue=dependencies-successful",
    "--output-logs=errors-only",
    "--log-order=grouped",
  ];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
  const status = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  clearTimeout(announcement);
  if (status !== 0) {
    process.stderr.write(Buffer.concat(output));
    fail("the build failed; the first error above says where.");
  }
  const seconds = (performance.now() - started) / 1000;
  if (seconds > 1.5) say(`built in ${seconds.toFixed(1)} s`);
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
