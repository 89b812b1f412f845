/**
 * The `code` of what was thrown, such as `ENOENT`. It asks for the property and not for the class: where code runs in a realm of
 * its own (`node:vm`, and with it Jest), an error of Node is no `instanceof` the `Error` there.
 */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
