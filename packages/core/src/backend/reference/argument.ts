/** Refuses an argument as the addon does: a `RangeError` whose `code` is `NATIVE_ARGUMENT`. Nothing has been written then. */
export function refuse(kernel: string, what: string): never {
  throw Object.assign(new RangeError(`${kernel}: ${what}`), { code: "NATIVE_ARGUMENT" });
}

/** Refuses an array that has another number of elements than the kernel's shapes say. Null passes: it was not given. */
export function checkSize(
  kernel: string,
  name: string,
  array: { readonly length: number } | null,
  size: number,
): void {
  if (array !== null && array.length !== size) {
    refuse(kernel, `${name} has ${array.length} elements, and must have ${size}`);
  }
}

/** Refuses a probability of keeping an element that is not above 0 and at most 1. */
export function checkKeep(kernel: string, keep: number): void {
  if (!(keep > 0 && keep <= 1)) refuse(kernel, `keep is ${keep}, and must be above 0 and at most 1`);
}

/** Refuses a scale that is not a finite number above 0. */
export function checkPositive(kernel: string, name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    refuse(kernel, `${name} is ${value}, and must be a finite number above 0`);
}
