import { fileURLToPath } from "node:url";
import { types } from "node:util";
import type { Candidate, Cost } from "./interleave.ts";
import { LineProcess } from "./line-process.ts";
import type { NetworkName } from "./published-networks.ts";

/** State of the peer; see peers/hat_step.py. */
export interface PytorchCase {
  readonly network: NetworkName;
  /** The published HAT step, or plain SGD on the same layers. */
  readonly gated: boolean;
  /** From 1 up, half of each layer's units are protected. */
  readonly task: number;
  /** Denormals flushed to zero, which is not how PyTorch ships. */
  readonly flush: boolean;
}

interface Description {
  readonly name: string;
  readonly torchThreads: number;
  readonly openblas: { readonly core: string; readonly threads: number } | null;
}

/** PyTorch in a process of its own, held to a number of threads. */
export class Pytorch {
  readonly description: Description;
  readonly #process: LineProcess;

  private constructor(process: LineProcess, description: Description) {
    this.#process = process;
    this.description = description;
  }

  /**
   * Starts it with the Python that `MILLINER_PYTHON` names, default the system's, for which Debian packages PyTorch.
   * @returns the peer, or a sentence that says why there is none
   */
  static async start(threads: number): Promise<Pytorch | string> {
    const script = fileURLToPath(new URL("../peers/hat_step.py", import.meta.url));
    const peer = new LineProcess(pytorchPython(), [script], pytorchEnvironment(threads));
    let description: Description;
    try {
      description = (await peer.ask({ describe: true })) as Description;
    } catch (error) {
      const reason = types.isNativeError(error) ? error.message : String(error);
      return `no PyTorch to compare with (${reason}); on Debian: apt-get install python3-torch libopenblas0`;
    }
    const { name, torchThreads, openblas } = description;
    if (openblas === null || openblas.threads !== threads || torchThreads !== threads) {
      peer.close();
      return `${name} is no fair peer: it must use OpenBLAS (apt-get install libopenblas0) on as many threads as we do, ${threads}`;
    }
    return new Pytorch(peer, description);
  }

  get name(): string {
    return this.description.name;
  }

  /** Makes state and inputs anew. What was prepared before is gone. */
  async prepare(state: PytorchCase): Promise<void> {
    await this.#process.ask({ case: state });
  }

  /** Sets the embeddings of the task, a list for each layer in its order. */
  async setEmbeddings(lists: readonly (readonly number[])[]): Promise<void> {
    await this.#process.ask({ embeddings: lists });
  }

  /** One step at each slope. */
  async run(slopes: readonly number[]): Promise<Cost> {
    return (await this.#process.ask({ run: slopes })) as Cost;
  }

  /** Prepares a step that is repeated at one slope. The candidate is good until the next call. */
  async candidate(state: PytorchCase, s: number): Promise<Candidate> {
    await this.prepare(state);
    const suffix = state.flush ? ", denormals flushed" : "";
    return {
      name: `${this.name}${suffix}`,
      run: (count) => this.run(Array.from({ length: count }, () => s)),
    };
  }

  close(): void {
    this.#process.close();
  }
}

/** The Python that has PyTorch. */
export function pytorchPython(): string {
  return process.env["MILLINER_PYTHON"] ?? "/usr/bin/python3";
}

/** What holds PyTorch to a number of threads. */
export function pytorchEnvironment(threads: number): Readonly<Record<string, string>> {
  return {
    // torch.set_num_threads does not reach OpenBLAS, which takes every core unless told so here; and OpenMP's threads
    // that wait actively would take time from whoever is measured next.
    OMP_NUM_THREADS: `${threads}`,
    OPENBLAS_NUM_THREADS: `${threads}`,
    OMP_WAIT_POLICY: "PASSIVE",
    // No __pycache__ beside the sources.
    PYTHONDONTWRITEBYTECODE: "1",
  };
}
