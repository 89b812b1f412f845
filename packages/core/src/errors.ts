import { printable } from "./printable.ts";

/**
 * What milliner throws for a mistake that a person has to fix. `code` is stable and documented; the message may improve.
 * Kinds are told apart by class or by `name`: those below, and one for each package that has a kind of its own.
 * Messages quote names of files, tensors and classes that anybody may have chosen, and end on terminals: they are `printable`.
 */
export class MillinerError extends Error {
  /** Stable, upper case with underscores, for example `SHAPE_MISMATCH`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Tensors, layers or networks whose shapes do not fit together. */
export class ShapeError extends MillinerError {}

/** A setting, an option or an argument with a value that makes no sense. */
export class ConfigError extends MillinerError {}

/** A checkpoint, a safetensors file or a saved network that cannot be read, or does not fit. */
export class CheckpointError extends MillinerError {}

/** The native addon is missing where it was asked for by name, or refused its arguments. */
export class NativeError extends MillinerError {}

/** A computation that went wrong: a loss or a gradient became NaN or infinite. Nothing has been applied then. */
export class NumericError extends MillinerError {}
