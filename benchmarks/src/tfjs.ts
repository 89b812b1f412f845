import { fileURLToPath } from "node:url";
import type { Candidate, Cost } from "./interleave.ts";
import { LineProcess } from "./line-process.ts";

/** tfjs in a process of its own. */
export interface Tfjs {
  readonly candidate: Candidate;
  close(): void;
}

/**
 * Starts tfjs, which is no dependency of ours, from the folder in whose node_modules it was installed.
 * @returns the peer, or a sentence that says why there is none
 */
export async function startTfjs(folder: string | undefined): Promise<Tfjs | string> {
  const install = "npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm in some folder";
  if (folder === undefined) return `no tfjs to compare with; ${install}, and name it by --tfjs`;
  const script = fileURLToPath(new URL("../peers/tfjs-step.mjs", import.meta.url));
  const peer = new LineProcess(process.execPath, [script, folder]);
  try {
    const { name } = (await peer.ask({ describe: true })) as { readonly name: string };
    return {
      candidate: { name, run: async (count) => (await peer.ask({ run: count })) as Cost },
      close: () => peer.close(),
    };
  } catch {
    return `no tfjs to compare with in ${folder}; ${install}, and name it by --tfjs`;
  }
}
