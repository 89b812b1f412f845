import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  availableBackends,
  CheckpointError,
  ConfigError,
  conv2d,
  dropout,
  flatten,
  forward,
  linear,
  memoryUse,
  network,
  relu,
  tensor,
  tidy,
  type Network,
  type Tensor,
} from "@milliner/core";
import { readerOf, takeSnapshot, type Snapshot } from "./checkpoint.ts";
import type { CheckpointWriter, Learner } from "./learner.ts";
import { MultiHead, type MultiHeadOptions } from "./multi-head.ts";

const body = network([2, 3, 1], flatten(), linear(5, { name: "hidden" }), relu());

let buffersBefore: number;
beforeEach(() => {
  buffersBefore = memoryUse().buffers;
});
afterEach(() => {
  expect(memoryUse().buffers, "buffers left behind").toBe(buffersBefore);
});

/** What `save` writes, by way of a learner that saves nothing else. */
function snapshotOf(heads: MultiHead): Promise<Snapshot> {
  const save = async (into: CheckpointWriter): Promise<void> => heads.save(into);
  return takeSnapshot({ name: "heads", save } as Learner);
}

function bits(parameters: ReadonlyMap<string, Tensor>): ReadonlyMap<string, readonly number[]> {
  return new Map(
    [...parameters].map(([name, { data }]) => [
      name,
      [...new Uint32Array(data.buffer, data.byteOffset, data.length)],
    ]),
  );
}

describe.each(availableBackends())("on the backend $name", (backend) => {
  const options: MultiHeadOptions = { body, backend, seed: 7 };
  const withTasks = (...classes: number[]): MultiHead => {
    const heads = new MultiHead(options);
    classes.forEach((count, task) => heads.addTask(task, count));
    return heads;
  };

  test("adding a head changes no bit of any other parameter", () => {
    using heads = disposable(withTasks(2, 3));
    for (const { data } of heads.parameters.values()) data.forEach((value, i) => (data[i] = value + 0.1)); // as if trained
    const before = bits(heads.parameters);
    const tensors = new Map(heads.parameters);

    heads.addTask(2, 4);

    const after = bits(heads.parameters);
    for (const [name, values] of before) expect(after.get(name), name).toEqual(values);
    for (const [name, values] of tensors) expect(heads.parameters.get(name), name).toBe(values);
    expect([...after.keys()].slice(before.size)).toEqual(["heads.2.weight", "heads.2.bias"]);
  });

  test("a head starts with the same bits whenever it is added, and whatever was before it", () => {
    using early = disposable(withTasks(2, 3));
    using late = disposable(new MultiHead(options));
    late.addTask(5, 6);
    late.addTask(1, 3);

    expect(bits(late.headParameters(1))).toEqual(bits(early.headParameters(1)));
  });

  test("another seed and another initialiser start with other values, in body and heads", () => {
    using plain = disposable(withTasks(2));
    using other = disposable(new MultiHead({ ...options, seed: 8 }));
    using xavier = disposable(new MultiHead({ ...options, initialiser: "xavier-uniform" }));
    for (const heads of [other, xavier]) heads.addTask(0, 2);

    for (const name of ["hidden.weight", "heads.0.weight"]) {
      for (const heads of [other, xavier]) {
        expect(heads.parameters.get(name)!.data).not.toEqual(plain.parameters.get(name)!.data);
      }
    }
    expect([...xavier.parameters.get("heads.0.bias")!.data]).toEqual([0, 0]);
  });

  test("a task that has a head is refused another, and one that has none is named with those that have", () => {
    using heads = disposable(withTasks(2, 3));
    using none = disposable(new MultiHead(options));
    const before = bits(heads.parameters);

    expect(() => heads.addTask(1, 3)).toThrow(expect.objectContaining({ code: "TASK_EXISTS" }));
    expect(bits(heads.parameters)).toEqual(before);
    expect(() => heads.network(2)).toThrow(expect.objectContaining({ code: "TASK_UNKNOWN" }));
    expect(() => heads.network(2)).toThrow("task 2 has not been learned; known tasks: 0, 1");
    expect(() => none.parametersOf(0)).toThrow("known tasks: none yet");
  });

  test("a body that ends in no features is refused before any task comes", () => {
    const maps = network([4, 4, 1], conv2d(2, 3));

    expect(() => new MultiHead({ ...options, body: maps })).toThrow(/heads\.0/);
  });

  test("a layer of the body that is called like a head is refused: the head would overwrite it", () => {
    const named = network([6], linear(5, { name: "heads.1" }), relu());
    const make = (): MultiHead => new MultiHead({ ...options, body: named });

    expect(make).toThrow(ConfigError);
    expect(make).toThrow(/"heads\.1"/);
  });

  test.each([0, -1, 1.5, NaN])("a head of %d classes is refused and leaves no trace", (classes) => {
    using heads = disposable(withTasks(2));
    const before = [...heads.parameters.keys()];

    expect(() => heads.addTask(1, classes)).toThrow(ConfigError);
    expect([...heads.parameters.keys()]).toEqual(before);
    expect(heads.tasks).toEqual([0]);
  });

  test("all heads side by side give the logits of each, in the order in which the tasks came", () => {
    using heads = disposable(new MultiHead(options));
    heads.addTask(3, 2);
    heads.addTask(0, 4);
    tidy(() => {
      const x = tensor([0.1, -0.4, 0.7, 1, 0, 0.3], [1, 2, 3, 1], { backend });
      const logits = (of: Network): number[] => [...forward(of, heads.parameters, x).data];

      expect(logits(heads.allHeads())).toEqual([...logits(heads.network(3)), ...logits(heads.network(0))]);
    });
  });

  test("a head alone, on the body's output, gives the logits of the whole network", () => {
    using heads = disposable(withTasks(3));
    tidy(() => {
      const x = tensor([0.1, -0.4, 0.7, 1, 0, 0.3], [1, 2, 3, 1], { backend });
      const features = forward(body, heads.parameters, x);

      expect(forward(heads.head(0), heads.parameters, features).data).toEqual(
        forward(heads.network(0), heads.parameters, x).data,
      );
    });
  });

  test("parameters are those of the body, of one head, or of both", () => {
    using heads = disposable(withTasks(2, 3));
    const names = (of: ReadonlyMap<string, Tensor>): string[] => [...of.keys()];
    const hidden = ["hidden.weight", "hidden.bias"];
    const second = ["heads.1.weight", "heads.1.bias"];

    expect(names(heads.bodyParameters())).toEqual(hidden);
    expect(names(heads.headParameters(1))).toEqual(second);
    expect(names(heads.parametersOf(1))).toEqual([...hidden, ...second]);
  });

  test("an untrained task begins as it would when added, and adds nothing", () => {
    using heads = disposable(withTasks(2));
    const untrained = heads.untrained(1, 3);
    const seen = bits(untrained.parameters);
    untrained.dispose();

    expect(heads.tasks).toEqual([0]);
    expect(heads.parameters.size).toBe(4);
    heads.addTask(1, 3);
    expect(seen).toEqual(bits(heads.parameters));
  });

  describe("loading", () => {
    test("makes any object the saved one: heads, their order, and every bit", async () => {
      using saved = disposable(new MultiHead({ ...options, seed: 9 }));
      saved.addTask(4, 2);
      saved.addTask(1, 3);
      const snapshot = await snapshotOf(saved);
      using empty = disposable(new MultiHead(options));
      using used = disposable(withTasks(6, 3, 2)); // head 1 fits, heads 0 and 2 go, head 4 comes

      for (const heads of [empty, used]) {
        heads.load(readerOf(snapshot, "the snapshot"));

        expect(heads.tasks).toEqual([4, 1]);
        expect([...bits(heads.parameters)]).toEqual([...bits(saved.parameters)]);
        expect(await snapshotOf(heads)).toEqual(snapshot);
        heads.addTask(7, 2); // goes on as ever
      }
    });

    test.each([
      ["wider", network([2, 3, 1], flatten(), linear(6, { name: "hidden" }), relu())],
      ["without its relu", network([2, 3, 1], flatten(), linear(5, { name: "hidden" }))],
      ["with dropout", network([2, 3, 1], flatten(), dropout(0.1), linear(5, { name: "hidden" }), relu())],
      ["for another input", network([3, 2, 1], flatten(), linear(5, { name: "hidden" }), relu())],
      ["named otherwise", network([2, 3, 1], flatten(), linear(5, { name: "first" }), relu())],
    ])("a checkpoint of a body that is %s is refused, and nothing changes", async (_, other) => {
      using foreign = disposable(new MultiHead({ ...options, body: other }));
      foreign.addTask(0, 2);
      const snapshot = await snapshotOf(foreign);
      using heads = disposable(withTasks(3, 2));
      const before = await snapshotOf(heads);

      const load = (): void => heads.load(readerOf(snapshot, "the snapshot"));

      expect(load).toThrow(CheckpointError);
      expect(load).toThrow(expect.objectContaining({ code: "DOES_NOT_FIT" }));
      expect(load).toThrow(/another body/);
      expect(await snapshotOf(heads)).toEqual(before);
    });

    test.each<[string, unknown]>([
      ["no list", { 0: 2 }],
      ["a list of numbers", [2, 3]],
      [
        "a task twice",
        [
          [0, 2],
          [0, 2],
        ],
      ],
      [
        "a head that has no values",
        [
          [0, 2],
          [9, 2],
        ],
      ],
      ["another width than its values", [[0, 3]]],
      ["more classes than memory", [[0, Number.MAX_SAFE_INTEGER]]],
      ["no classes", [[0, 0]]],
      ["a negative task", [[-1, 2]]],
    ])("heads that are %s are refused, and nothing changes", async (_, lie) => {
      using heads = disposable(withTasks(2));
      const before = await snapshotOf(heads);
      const values = new Map([...before.values, ["heads", lie]]);

      expect(() => heads.load(readerOf({ ...before, values }, "the lie"))).toThrow(CheckpointError);
      expect(await snapshotOf(heads)).toEqual(before);
    });
  });

  test("dispose frees everything, and a second call does nothing", () => {
    const heads = withTasks(2, 3);
    heads.dispose();
    heads.dispose();

    expect(heads.tasks).toEqual([]);
    expect(memoryUse().buffers).toBe(buffersBefore);
  });
});

/** The heads, freed at the end of the block that holds them. */
function disposable(heads: MultiHead): MultiHead & Disposable {
  return Object.assign(heads, { [Symbol.dispose]: () => heads.dispose() });
}
