import { ConfigError, NumericError } from "@milliner/core";

/** Runs `action`; what it says of a computation or of the data that goes into it also says where that was. */
export function located<T>(place: () => string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const Kind = [NumericError, ConfigError].find((kind) => error instanceof kind);
    if (Kind === undefined) throw error;
    const { code, message } = error as NumericError | ConfigError;
    throw new Kind(code, `${place()}: ${message}`, { cause: error });
  }
}
