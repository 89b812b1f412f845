import { existsSync } from "node:fs";
import nodeModule from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { type Addon, addonAbi } from "./addon.ts";

/**
 * The addon and the file it came from, or why there is none: a sentence for the person who has to do something.
 * `misconfigured`: the addon is here and sound, but `MILLINER_ISA`, `MILLINER_THREADS` or `MILLINER_BF16` asks for what
 * cannot be.
 */
export type LoadedAddon =
  | { readonly addon: Addon; readonly path: string }
  | { readonly addon: null; readonly reason: string; readonly misconfigured: boolean };

const howToBuild = "run `npx milliner-native-build` (needs CMake and a C++20 compiler)";

/**
 * Loads the addon; never throws. The first of these that exists is taken, and none is passed over because it is broken:
 *
 * 1. the file that the environment variable `MILLINER_NATIVE` names;
 * 2. `build/Release/milliner.node` in this package: built here;
 * 3. the package `@milliner/native-PLATFORM-ARCH`: a prebuilt binary.
 *
 * Loading it again returns the same table; every worker thread has its own.
 *
 * @param environment - where `MILLINER_NATIVE` and `MILLINER_BF16` are looked up; default the process's
 * @returns the addon and its path, or `addon: null` and the reason
 */
export function loadAddon(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): LoadedAddon {
  let found: LoadedAddon;
  try {
    found = find(environment);
  } catch (error) {
    // A working folder that is gone, for one.
    return missing(`the native kernels cannot be looked for: ${messageOf(error)}`);
  }
  // The others stop the addon from loading; this one it reads when bf16 is first asked for, too late to be refused.
  const bf16 = environment["MILLINER_BF16"] ?? "";
  if (found.addon === null || ["", "emulated", "off"].includes(bf16)) return found;
  const reason = `MILLINER_BF16 is "${bf16}", and must be "emulated" or "off". Correct or unset MILLINER_BF16.`;
  return { addon: null, reason, misconfigured: true };
}

function find(environment: Readonly<Record<string, string | undefined>>): LoadedAddon {
  const here = thisFile();
  const load = nodeModule.createRequire(here); // by its own name webpack would take it for a function of its own
  const named = environment["MILLINER_NATIVE"];
  if (named !== undefined && named !== "") {
    const binary = resolve(named); // as the shell that set it sees it; `load` would look beside this file
    if (!existsSync(binary)) {
      return missing(`MILLINER_NATIVE names ${binary}, which does not exist; correct or unset it`);
    }
    return open(load, binary, "correct or unset MILLINER_NATIVE");
  }
  // The binary that `milliner-native-build` makes, beside src/ and dist/ alike.
  const localBinary = join(dirname(here), "../build/Release/milliner.node");
  if (existsSync(localBinary)) return open(load, localBinary, howToBuild);

  const prebuilt = `@milliner/native-${process.platform}-${process.arch}`;
  let path: string;
  try {
    path = load.resolve(prebuilt);
  } catch {
    return missing(
      `no native kernels: neither ${localBinary} nor the package ${prebuilt} is here; ${howToBuild}, ` +
        "and keep @milliner/native out of a bundle (external), or name the binary in MILLINER_NATIVE",
    );
  }
  return open(load, path, `install ${prebuilt} in the version of @milliner/native, or ${howToBuild}`);
}

/**
 * Where this file lies. Asked for at the first use, and no bundler is given a path to resolve: of what it makes of
 * `import.meta.url` some throws, and importing never does. It is empty in some bundles of CommonJS; `__filename` is there then.
 */
function thisFile(): string {
  const url: string | undefined = import.meta.url;
  return url === undefined ? __filename : fileURLToPath(url);
}

function open(load: NodeJS.Require, path: string, remedy: string): LoadedAddon {
  let addon: Addon;
  try {
    addon = load(path) as Addon;
  } catch (error) {
    const message = messageOf(error);
    if (codeOf(error) === "NATIVE_ISA" || codeOf(error) === "NATIVE_THREADS")
      return { addon: null, reason: message, misconfigured: true };
    // Under Node's permission model, or with --no-addons: a binary of one's own would not be loaded either.
    if (codeOf(error) === "ERR_DLOPEN_DISABLED")
      return missing(
        `${path} is not loaded, since Node was told to load no addons; start it with --allow-addons, without --no-addons`,
      );
    return missing(`${path} does not load: ${message}; ${remedy}`);
  }
  if (addon.abi !== addonAbi) {
    return missing(`${path} has version ${addon.abi} of the table of kernels, not ${addonAbi}; ${remedy}`);
  }
  return { addon, path };
}

function missing(reason: string): LoadedAddon {
  return { addon: null, reason, misconfigured: false };
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null | undefined)?.code;
}

function messageOf(error: unknown): string {
  // One line: of a module that is not there Node goes on with who asked for it.
  return types.isNativeError(error) ? error.message.split("\n", 1)[0]! : String(error);
}
