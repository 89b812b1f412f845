import { setImmediate } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { describe, expect, test } from "vitest";
import { availableBackends } from "./backend/registry.ts";
import { referenceBackend } from "./backend/reference.ts";
import { emptyCache, keep, memoryUse, tidy } from "./memory.ts";
import { Tensor, zeros } from "./tensor.ts";

const backend = referenceBackend;

function make(size = 3): Tensor {
  return zeros([size], { backend });
}

test("tidy frees what was made inside and not returned", () => {
  const before = memoryUse().buffers;

  const kept = tidy(() => {
    make();
    make();
    return make();
  });

  expect(kept.disposed).toBe(false);
  expect(memoryUse().buffers).toBe(before + 1);
  kept.dispose();
});

test("what is returned in an array, a map or an object of them is kept", () => {
  const before = memoryUse().buffers;

  const result = tidy(() => ({
    list: [make(), [make()]],
    map: new Map([["a", make()]]),
    values: new Float32Array(1000),
    nothing: null,
  }));

  expect(memoryUse().buffers).toBe(before + 3);
  for (const t of [...result.list.flat(), ...result.map.values()]) t.dispose();
  expect(memoryUse().buffers).toBe(before);
});

test("what is returned in a set, in the keys of a map, in an iterable of one's own or beside it is kept", () => {
  const before = memoryUse().buffers;
  class Pair {
    readonly extra = make();
    readonly #both = [make(), make()];
    [Symbol.iterator](): Iterator<Tensor> {
      return this.#both[Symbol.iterator]();
    }
  }

  const { set, map, pair } = tidy(() => {
    make();
    return { set: new Set([make(), make()]), map: new Map([[make(), "a"]]), pair: new Pair() };
  });

  const kept = [...set, ...map.keys(), ...pair, pair.extra];
  expect(kept.map((t) => t.disposed)).toEqual(kept.map(() => false));
  expect(memoryUse().buffers).toBe(before + 6);
  for (const t of kept) t.dispose();
});

test("a result that leads back to itself, or goes deeper than the stack, is followed once", () => {
  interface Node {
    readonly held: Tensor;
    next?: Node;
  }
  const before = memoryUse().buffers;

  const [first, list] = tidy(() => {
    const node: Node = { held: make(), next: { held: make() } };
    node.next!.next = node;
    let deep: unknown = make();
    for (let i = 0; i < 100_000; i++) deep = [deep];
    return [node, deep] as const;
  });

  expect([first.held.disposed, first.next!.held.disposed]).toEqual([false, false]);
  expect(memoryUse().buffers).toBe(before + 3);
  first.held.dispose();
  first.next!.held.dispose();
  let innermost = list;
  while (Array.isArray(innermost)) innermost = (innermost as readonly unknown[])[0];
  (innermost as Tensor).dispose();
});

test("an iterator is refused, because it is read once, and what was made is freed", () => {
  const before = memoryUse().buffers;

  expect(() => tidy(() => new Map([["a", make()]]).values())).toThrow(TypeError);
  expect(() => tidy(() => ({ list: (function* () {})(), t: make() }))).toThrow(/iterator.*array/);

  expect(memoryUse().buffers).toBe(before);
});

test("what an inner tidy returns belongs to the outer one", () => {
  const before = memoryUse().buffers;
  let inner: Tensor | undefined;

  tidy(() => {
    inner = tidy(() => make());
    expect(inner.disposed).toBe(false);
  });

  expect(inner!.disposed).toBe(true);
  expect(memoryUse().buffers).toBe(before);
});

test("keep takes a tensor out of every scope", () => {
  const kept = tidy(() => {
    const t = tidy(() => ({ hidden: () => keep(make()) })).hidden();
    tidy(() => keep(t));
    return { later: () => t };
  }).later();

  expect(kept.disposed).toBe(false);
  kept.dispose();
});

test("an error frees everything and passes through; the scopes around go on", () => {
  const before = memoryUse().buffers;

  tidy(() => {
    const outer = make();
    expect(() =>
      tidy(() => {
        make();
        throw new RangeError("out");
      }),
    ).toThrow(RangeError);
    expect(outer.disposed).toBe(false);
    expect(memoryUse().buffers).toBe(before + 1);
  });

  expect(memoryUse().buffers).toBe(before);
});

test("an async function is refused, and what it made is freed", () => {
  const before = memoryUse().buffers;

  expect(() => tidy(async () => make())).toThrow("synchronous");

  expect(memoryUse().buffers).toBe(before);
});

describe.each(availableBackends())("on $name", (on) => {
  test("a disposed buffer serves the next tensor of its size class", () => {
    const first = zeros([1000], { backend: on });
    const buffer = first.data.buffer;
    first.dispose();

    const second = zeros([990], { backend: on });
    const third = zeros([1000], { backend: on });

    expect(second.data.buffer).toBe(buffer);
    expect(third.data.buffer).not.toBe(buffer);
    second.dispose();
    third.dispose();
  });

  test("a buffer of up to twice the size that is wanted goes on being used, a larger one waits", () => {
    const own = { ...on };
    const first = zeros([100_000], { backend: own });
    const buffer = first.data.buffer;
    first.dispose();

    const small = zeros([40_000], { backend: own });
    const middle = zeros([60_000], { backend: own });

    expect(small.data.buffer).not.toBe(buffer);
    expect(middle.data.buffer).toBe(buffer);
    small.dispose();
    middle.dispose();
  });

  test("at most a quarter of a fresh buffer above 256 bytes is unused, and memoryUse counts whole buffers", () => {
    for (const count of [0, 1, 64, 65, 100, 1023, 1024, 1025, 12_345]) {
      const before = memoryUse().bytes;

      const t = new Tensor([count], { backend: { ...on } });

      const held = memoryUse().bytes - before;
      expect(held).toBe(t.data.buffer.byteLength);
      expect(held).toBeGreaterThanOrEqual(4 * count);
      expect(held).toBeLessThanOrEqual(Math.max(256, (4 * count) / 0.75));
      t.dispose();
    }
  });
});

describe.each(availableBackends())("the cache of $name", (on) => {
  test("is given back whole: what waits for reuse, and nothing of tensors that live", () => {
    const own = { ...on };
    const [waiting, other, living] = [1_000, 300_000, 1_000].map((count) => zeros([count], { backend: own }));
    const bytes = waiting!.data.buffer.byteLength + other!.data.buffer.byteLength;
    const buffer = waiting!.data.buffer;
    waiting!.dispose();
    other!.dispose();
    living!.data.fill(1);
    const before = memoryUse();

    const given = emptyCache(own);

    expect(given).toEqual({ buffers: 2, bytes });
    expect(emptyCache(own)).toEqual({ buffers: 0, bytes: 0 });
    expect(memoryUse()).toEqual(before);
    expect(living!.toArray()).toEqual(new Float32Array(1_000).fill(1));
    const next = zeros([1_000], { backend: own });
    expect(next.data.buffer).not.toBe(buffer);
    for (const t of [living!, next]) t.dispose();
  });
});

test.runIf(availableBackends().some(({ name }) => name === "cpu"))(
  "what native tensors held is the system's again, without a garbage collection",
  async () => {
    const own = { ...availableBackends().find(({ name }) => name === "cpu")! };
    const mebibytes = (): number => process.memoryUsage.rss() / 2 ** 20;
    const sizes = [2 ** 24, ...Array<number>(16).fill(2 ** 19)]; // 64 MiB in a mapping of its own, 32 in shared pages
    const tensors = sizes.map((size) => zeros([size], { backend: own }));
    for (const t of tensors) t.data.fill(1);
    for (const t of tensors) t.dispose();
    const held = mebibytes();

    emptyCache(own);
    await setImmediate();

    expect(held - mebibytes()).toBeGreaterThan(64);
  },
);

test("a pool belongs to one backend: another's buffers are never handed out", () => {
  const other = { ...backend };
  const first = make(77);
  const buffer = first.data.buffer;
  first.dispose();

  const second = zeros([77], { backend: other });

  expect(second.data.buffer).not.toBe(buffer);
  second.dispose();
});

test("a tensor that nobody disposed leaves the counts when it is collected, and its buffer is not reused", async () => {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc") as () => void;
  const before = memoryUse();
  (() => {
    for (let i = 0; i < 10; i++) make(500);
    for (let i = 0; i < 10; i++) tidy(() => (i % 2 === 0 ? make(500) : keep(make(500))));
  })();
  expect(memoryUse().buffers).toBe(before.buffers + 20);

  for (let turn = 0; turn < 100 && memoryUse().buffers > before.buffers; turn++) {
    collect();
    await setImmediate();
  }

  expect(memoryUse()).toEqual(before);
});
