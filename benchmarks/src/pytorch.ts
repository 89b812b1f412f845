import { fileURLToPath } from "node:url";
import type { Candidate, Cost } from "./interleave.ts";
import { LineProcess } from "./line-process.ts";

/** A step of the peer; see peers/hat_step.py. */
export interface PytorchCase {
  /** The published HAT step, or plain SGD on the same layers. */
  readonly gated: boolean;
  /** From 1 up, half of each layer's units are protected. */
  readonly task: number;
  readonly s: number;
  /** Denormals flushed to zero, which is not how PyTorch ships. */
  readonly flush: boolean;
}

interface Description {
  readonly name: string;
  readonly torchThreads: number;
  readonly openblas: { readonly core: string; readonly threads: number } | null;
}

/** PyTorch in a process of its own, held to one thread. */
export interface Pytorch {
  readonly name: string;
  readonly description: unknown;
  /** Makes state and inputs anew for one kind of step. The candidate is good until the next call. */
  prepare(stepCase: PytorchCase): Promise<Candidate>;
  close(): void;
}

// torch.set_num_threads does not reach OpenBLAS, which takes every core unless told so here; and OpenMP's threads that
// wait actively would take time from whoever is measured next.
const oneThread = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", OMP_WAIT_POLICY: "PASSIVE" };

/**
 * Starts the peer with the Python that `MILLINER_PYTHON` names, default the system's, for which Debian packages PyTorch.
 * @returns the peer, or a sentence that says why there is none
 */
export async function startPytorch(): Promise<Pytorch | string> {
  const python = process.env["MILLINER_PYTHON"] ?? "/usr/bin/python3";
  const script = fileURLToPath(new URL("../peers/hat_step.py", import.meta.url));
  const peer = new LineProcess(python, [script], oneThread);
  let description: Description;
  try {
    description = (await peer.ask({ describe: true })) as Description;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `no PyTorch to compare with (${reason}); on Debian: apt-get install python3-torch libopenblas0`;
  }
  const { name, torchThreads, openblas } = description;
  if (openblas === null || openblas.threads !== 1 || torchThreads !== 1) {
    peer.close();
    return `${name} is no fair peer: it must use OpenBLAS (apt-get install libopenblas0) on one thread`;
  }
  return {
    name,
    description,
    async prepare(stepCase) {
      await peer.ask({ case: stepCase });
      const suffix = stepCase.flush ? ", denormals flushed" : "";
      return { name: `${name}${suffix}`, run: async (count) => (await peer.ask({ run: count })) as Cost };
    },
    close: () => peer.close(),
  };
}
