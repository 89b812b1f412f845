import { types } from "node:util";
import type * as Ort from "onnxruntime-node";
import { printable } from "@milliner/core";
import { OnnxError } from "./onnx-error.ts";

/** onnxruntime, as far as verification needs it. */
export interface OnnxRuntime {
  /** Version of onnxruntime-node. */
  readonly version: string;
  /**
   * Loads a model that takes one input.
   * @param threads - threads of one run; default 1
   * @throws OnnxError RUNTIME_FAILED when onnxruntime refuses the model
   */
  load(model: Uint8Array, options?: { readonly threads?: number }): Promise<OnnxSession>;
}

/** A loaded model. Loading costs much more than a run: keep it. */
export interface OnnxSession {
  /** Names of the inputs and outputs, in the model's order. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * Runs the model on one input, of float32 or of bytes, and returns its first output, which must be float32.
   * @throws OnnxError RUNTIME_FAILED
   */
  run(
    input: Float32Array | Uint8Array,
    shape: readonly number[],
  ): Promise<{ readonly data: Float32Array; readonly shape: readonly number[] }>;
  /** Frees what the model holds outside the JavaScript heap. */
  release(): Promise<void>;
}

/** Why there is no runtime: one sentence for a person. */
export interface MissingRuntime {
  readonly missing: string;
}

/**
 * Loads onnxruntime-node, an optional peer. Nothing is thrown when it cannot be: whether that matters is the caller's to
 * say.
 */
export async function loadOnnxRuntime(): Promise<OnnxRuntime | MissingRuntime> {
  try {
    return adapt(await import("onnxruntime-node"));
  } catch (error) {
    const reason = types.isNativeError(error) ? error.message.split("\n")[0]! : String(error);
    const advice =
      (error as { readonly code?: unknown } | null | undefined)?.code === "ERR_DLOPEN_DISABLED"
        ? "start Node with --allow-addons, without --no-addons"
        : "install it beside @milliner/onnx (ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node)";
    return { missing: `onnxruntime-node cannot be loaded (${printable(reason)}); ${advice}` };
  }
}

function adapt(ort: typeof Ort): OnnxRuntime {
  return {
    version: ort.env.versions.node ?? ort.env.versions.common,
    async load(model, { threads = 1 } = {}) {
      const session = await refused("load the model", () =>
        // Errors only: what the runtime warns of would go to stderr, past whoever owns the terminal.
        ort.InferenceSession.create(model, {
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          logSeverityLevel: 3,
        }),
      );
      const [input] = session.inputNames;
      const [output] = session.outputNames;
      return {
        inputs: session.inputNames,
        outputs: session.outputNames,
        run: (values, shape) =>
          refused("run the model", async () => {
            if (input === undefined || output === undefined) throw new Error("it has no input or no output");
            const given = types.isUint8Array(values)
              ? new ort.Tensor("uint8", values, shape)
              : new ort.Tensor("float32", values, shape);
            const results = await session.run({ [input]: given });
            const result = results[output]!;
            if (!types.isFloat32Array(result.data))
              throw new Error(`its output "${output}" is ${result.type}, not float32`);
            return { data: result.data, shape: result.dims };
          }),
        release: () => session.release(),
      };
    },
  };
}

async function refused<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = types.isNativeError(cause) ? cause.message : String(cause);
    throw new OnnxError("RUNTIME_FAILED", `onnxruntime cannot ${what}: ${reason}`, { cause });
  }
}
