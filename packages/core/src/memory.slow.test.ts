import { describe, expect, test } from "vitest";
import { availableBackends } from "./backend/registry.ts";
import { memoryUse, tidy } from "./memory.ts";
import { crossEntropy, linear } from "./operations/index.ts";
import { Stream } from "./philox.ts";
import { Tape } from "./tape.ts";
import { tensor } from "./tensor.ts";

// A loop that never gives the event loop a turn: finalisers do not run in it, so only `tidy` frees.
describe.each(availableBackends())("on $name", (backend) => {
  test("100,000 steps of training in one synchronous loop do not grow in memory", () => {
    const stream = new Stream(0, "loop");
    const leaf = (count: number, shape: readonly number[], step: number) =>
      tensor(stream.uniform(count, -1, 1, step), shape, { backend, requiresGrad: true });
    const parameters = [leaf(12, [4, 3], 0), leaf(4, [4], 1), leaf(8, [2, 4], 2)] as const;
    const [w1, b1, w2] = parameters;
    const images = stream.uniform(6, -1, 1, 3);
    const labels = Int32Array.of(0, 1);
    const step = (): void =>
      tidy(() => {
        const tape = new Tape();
        const x = tensor(images, [2, 3], { backend });
        const h = linear(x, w1, { bias: b1, relu: true }, tape);
        const gradients = tape.backward(crossEntropy(linear(h, w2, {}, tape), labels, tape));
        for (const p of parameters)
          backend.kernels.sgd(p.data, gradients.get(p)!.data, 0.01, null, 1, p.data.length);
      });
    // Growth is measured from here: the compiler and the collector's heap have their size then.
    for (let i = 0; i < 10_000; i++) step();
    const [use, rss] = [memoryUse(), process.memoryUsage().rss];

    for (let i = 0; i < 100_000; i++) step();

    expect(memoryUse()).toEqual(use);
    // What the counts do not know: bookkeeping that grows with every tensor, about ten a step, would be 100 MiB at 100 bytes
    // each. The collector's own swings were up to 40 MiB in six runs.
    expect((process.memoryUsage().rss - rss) / 2 ** 20).toBeLessThan(64);
    for (const p of parameters) p.dispose();
  });
});
