/*
 * What was thrown, by its properties and not by its class: where code runs in a realm of its own (`node:vm`, and with it Jest and
 * some pools of vitest), an error of Node is no `instanceof` the `Error` there. Of arrays and buffers `types` of node:util tells.
 */

/** The `code`, such as `ENOENT`. */
export function errorCode(thrown: unknown): string | undefined {
  const { code } = propertiesOf(thrown);
  return typeof code === "string" ? code : undefined;
}

/** The `message`; of what has none, its text. */
export function errorMessage(thrown: unknown): string {
  const { message } = propertiesOf(thrown);
  return typeof message === "string" ? message : String(thrown);
}

function propertiesOf(thrown: unknown): { readonly code?: unknown; readonly message?: unknown } {
  return thrown === null || thrown === undefined ? {} : thrown;
}
