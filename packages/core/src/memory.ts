import type { Backend } from "./backend/backend.ts";
import { noteCopy } from "./copies.ts";

/** Something that is freed by `dispose`, and at the latest when the `tidy` around its creation ends. */
export interface Disposable {
  dispose(): void;
  /** Called when no `tidy` answers for it any more: from now on it lives until somebody disposes it. */
  escaped?(): void;
}

/** Live buffers and their bytes: what tensors hold now, without what the pool keeps for reuse. */
export interface MemoryUse {
  readonly buffers: number;
  readonly bytes: number;
}

// Fresh ArrayBuffers cost a page fault per 4 KiB; a training step needs the same sizes again and again. Buffers that were
// disposed wait here, by size class, for the next tensor. Beyond this many bytes they go to the garbage collector.
const pooledBytesLimit = 512 * 1024 * 1024;

interface Pool {
  readonly free: Map<number, ArrayBuffer[]>;
  bytes: number;
}

const pools = new WeakMap<Backend, Pool>();
const scopes: Set<Disposable>[] = [];
let buffers = 0;
let bytes = 0;

// Four classes per power of two: at most a quarter of a buffer is unused.
function sizeClass(wanted: number): number {
  if (wanted <= 256) return 256;
  // Math.clz32 is exact and quick, and takes 32 bits.
  const log2 = wanted <= 2 ** 31 ? 31 - Math.clz32(wanted - 1) : Math.floor(Math.log2(wanted - 1));
  const step = 2 ** (log2 - 2);
  return Math.ceil(wanted / step) * step;
}

function poolOf(backend: Backend): Pool {
  let pool = pools.get(backend);
  if (pool === undefined) {
    noteCopy();
    pool = { free: new Map(), bytes: 0 };
    pools.set(backend, pool);
  }
  return pool;
}

/** A buffer of at least `wanted` bytes with undefined contents. Tensors call this; `release` gives it back. */
export function acquire(backend: Backend, wanted: number): ArrayBuffer {
  const pool = poolOf(backend);
  const buffer = pooled(pool, wanted) ?? backend.allocate(sizeClass(wanted));
  buffers += 1;
  bytes += buffer.byteLength;
  return buffer;
}

// One of up to twice the size will do: a network that shrinks from plan to plan goes on in the memory that it has.
function pooled(pool: Pool, wanted: number): ArrayBuffer | undefined {
  for (let size = sizeClass(wanted), most = 2 * size; size <= most; size = sizeClass(size + 1)) {
    const buffer = pool.free.get(size)?.pop();
    if (buffer === undefined) continue;
    pool.bytes -= size;
    return buffer;
  }
  return undefined;
}

/** Gives a buffer back to the pool. The caller holds no view of it any more. */
export function release(backend: Backend, buffer: ArrayBuffer): void {
  const size = buffer.byteLength;
  buffers -= 1;
  bytes -= size;
  const pool = poolOf(backend);
  if (pool.bytes + size > pooledBytesLimit) return;
  pool.bytes += size;
  const list = pool.free.get(size);
  if (list === undefined) pool.free.set(size, [buffer]);
  else list.push(buffer);
}

/**
 * Gives back to the system what a backend keeps for reuse: up to 512 MiB of buffers whose tensors were disposed. Tensors that
 * live stay as they are; the next ones are made of new memory, which is slower the first time. A view of a tensor that was
 * disposed, which nobody should have kept, has length 0 then.
 *
 * @param backend - whose cache; bf16 and float32 have one each
 * @returns how many buffers went, and their bytes
 */
export function emptyCache(backend: Backend): MemoryUse {
  const pool = pools.get(backend);
  if (pool === undefined) return { buffers: 0, bytes: 0 };
  pools.delete(backend);
  const free = [...pool.free.values()].flat();
  for (const buffer of free) backend.free?.(buffer);
  return { buffers: free.length, bytes: pool.bytes };
}

// A tensor that nobody disposed: its buffer is left to the garbage collector and not reused, since a view of it may
// outlive the tensor.
const forgotten = new FinalizationRegistry<number>((size) => {
  buffers -= 1;
  bytes -= size;
});

/**
 * Watches an owner of a buffer that no `tidy` answers for, so that the counts stay right if it is collected without `dispose`.
 * (Not every owner: the registry makes garbage collection slower, and most tensors of a step never leave its `tidy`.)
 */
export function watch(owner: object, buffer: ArrayBuffer): void {
  forgotten.register(owner, buffer.byteLength, owner);
}

/** Ends `watch`. */
export function unwatch(owner: object): void {
  forgotten.unregister(owner);
}

/** Enters `owner` into the innermost `tidy`; without one, or when it leaves the last, it hears that it has `escaped`. */
export function own(owner: Disposable): void {
  const scope = scopes.at(-1);
  if (scope === undefined) owner.escaped?.();
  else scope.add(owner);
}

/** Takes `owner` out of every open `tidy`: it lives until somebody disposes it. Returns it. */
export function keep<T extends Disposable>(owner: T): T {
  let isFound = false;
  for (const scope of scopes) isFound = scope.delete(owner) || isFound;
  if (isFound) owner.escaped?.();
  return owner;
}

/** How many buffers are alive, and how many bytes they hold. */
export function memoryUse(): MemoryUse {
  return { buffers, bytes };
}

// Everything that is reached from `value`, each object once: a graph may have cycles, and any depth.
function disposables(value: unknown): ReadonlySet<unknown> {
  const found = new Set<unknown>();
  const seen = new Set<unknown>();
  const left = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (next === null || typeof next !== "object" || seen.has(next)) continue;
    seen.add(next);
    if ("dispose" in next && typeof next.dispose === "function") found.add(next);
    else if (!ArrayBuffer.isView(next)) for (const part of parts(next)) left.push(part);
  }
  return found;
}

function parts(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  if (!(Symbol.iterator in value)) return Object.values(value);
  const iterable = value as Iterable<unknown>;
  // To look into it would use it up.
  if (iterable === (iterable[Symbol.iterator]() as unknown))
    throw new TypeError(
      "tidy cannot look into an iterator, which is read once; return an array of its values",
    );
  return [...iterable, ...Object.values(value)];
}

/**
 * Runs `body` and frees every tensor that was made in it, but those that it returns (alone, or in objects, arrays, maps, sets
 * and other iterables, which may lead back to themselves) and those given to `keep`. Scopes nest; what an inner one returns belongs to the outer one. When `body` throws,
 * everything is freed. `body` is synchronous: a promise is refused, because other code would run inside the scope. So is an
 * iterator, as generators and `map.values()` are: it is read once, and that is the caller's.
 *
 * @throws TypeError for a promise or an iterator
 */
export function tidy<T>(body: () => T): T {
  const scope = new Set<Disposable>();
  scopes.push(scope);
  let result: T;
  let kept: ReadonlySet<unknown>;
  try {
    result = body();
    if (typeof (result as { readonly then?: unknown } | null | undefined)?.then === "function")
      throw new TypeError("tidy takes a synchronous function, not an async one");
    kept = disposables(result);
  } catch (error) {
    scopes.pop();
    for (const owner of scope) owner.dispose();
    throw error;
  }
  scopes.pop();
  for (const owner of scope) {
    if (!kept.has(owner)) owner.dispose();
    else own(owner);
  }
  return result;
}
