import { MillinerError } from "@milliner/core";

/**
 * A file that is not ONNX or lies about itself, or a model that onnxruntime cannot run. Codes of the reader: TRUNCATED,
 * BAD_VARINT, BAD_FIELD, BAD_WIRE_TYPE, BAD_UTF8, BAD_DIMENSION, BAD_TYPE, BAD_EXTERNAL_DATA, SIZE_MISMATCH, REPEATED,
 * TOO_DEEP, TOO_LONG, TOO_MANY, NOT_A_MODEL. Codes of verification: RUNTIME_MISSING, RUNTIME_FAILED, UNSUPPORTED_MODEL.
 */
export class OnnxError extends MillinerError {}
