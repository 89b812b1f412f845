import type { Kernels } from "../backend.ts";
import { kernelOutputs } from "../outputs.ts";
import { refuse } from "./argument.ts";

/** The kernels, each refusing an output that shares memory with another argument, but for those that it may be itself. */
export function keptApart(kernels: Kernels): Kernels {
  const checked = Object.entries<(...args: never[]) => unknown>(kernels).map(([name, kernel]) => [
    name,
    (...args: never[]) => {
      checkApart(name as keyof Kernels, args);
      return kernel(...args);
    },
  ]);
  return Object.fromEntries(checked) as Kernels;
}

function checkApart(kernel: keyof Kernels, args: readonly unknown[]): void {
  for (const [output, mayBe] of Object.entries(kernelOutputs[kernel])) {
    const written = args[Number(output)];
    if (!ArrayBuffer.isView(written)) continue;
    for (const [i, other] of args.entries()) {
      if (i === Number(output) || !ArrayBuffer.isView(other) || !overlap(written, other)) continue;
      if (mayBe.includes(i) && isSame(written, other)) continue;
      refuse(kernel, `argument ${Number(output) + 1} and argument ${i + 1} share memory`);
    }
  }
}

function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  );
}

/** Of two views that overlap. */
function isSame(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}
