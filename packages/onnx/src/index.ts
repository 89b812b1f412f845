export { exportedBytes, exportNetwork, type ExportOptions } from "./export.ts";
export { inspectModel, type ModelSummary } from "./inspect.ts";
export type { ExternalData } from "./inspect-tensor.ts";
export type { ValueSummary } from "./inspect-value.ts";
export { OnnxError } from "./onnx-error.ts";
export { parameterHash } from "./parameter-hash.ts";
export type { ImageLayout } from "./translate.ts";
export { loadOnnxRuntime, type MissingRuntime, type OnnxRuntime, type OnnxSession } from "./runtime.ts";
export {
  verifyModel,
  type ModelVerification,
  type VerificationBatch,
  type VerificationOptions,
} from "./verify.ts";
