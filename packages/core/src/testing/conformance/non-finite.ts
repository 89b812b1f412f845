import { Stream } from "../../philox.ts";
import { Numbers } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { checkFeeding, reached, type Reach } from "./feeding.ts";

// An infinity that a function may take to a finite number, as exp(-Infinity) is 0, while a NaN may not.
function unlessInfinite(bad: number, reach: Reach): Reach {
  return Number.isNaN(bad) || reach === "no" ? reach : "maybe";
}

function zeroAtRandom(numbers: Numbers, values: Float32Array): Float32Array {
  return values.map((value) => (numbers.below(3) === 0 ? 0 : value));
}

/** What is computed passes a NaN on, and an infinity as arithmetic does; what is selected away stays as it is. */
export const nonFiniteClaims: Claims = {
  "add, multiply, scale, clamp, exp, log, tanh, sigmoid and relu pass a NaN on": (backend) => {
    const { kernels } = backend;
    const numbers = new Numbers(120);
    const [length, units] = [37, { out: 37 }];
    for (const kernel of ["add", "multiply"] as const) {
      checkFeeding(backend, {
        what: kernel,
        inputs: { a: numbers.floats(length), b: numbers.floats(length) },
        outputs: units,
        run: ({ a, b, out }) => kernels[kernel](a, b, out),
        reach: (_, at, __, to) => reached(at === to),
      });
    }
    const functions: Readonly<Record<string, (x: Float32Array, out: Float32Array) => void>> = {
      scale: (x, out) => kernels.scale(x, 0.3, out),
      clamp: (x, out) => kernels.clamp(x, -0.3, 0.7, out),
      exp: (x, out) => kernels.exp(x, out),
      log: (x, out) => kernels.log(x, out),
      tanh: (x, out) => kernels.tanh(x, out),
      sigmoid: (x, out) => kernels.sigmoid(x, out),
      relu: (x, out) => kernels.relu(x, out),
    };
    for (const [what, call] of Object.entries(functions)) {
      checkFeeding(backend, {
        what,
        inputs: { x: numbers.floats(length).map(Math.abs) },
        outputs: units,
        run: ({ x, out }) => call(x, out),
        reach: (_, at, __, to, bad) => unlessInfinite(bad, reached(at === to)),
      });
    }
  },

  "reluBackward passes a NaN of dy where y is above 0, and any dy where y is NaN": (backend) => {
    const numbers = new Numbers(121);
    const [dy, y] = [numbers.floats(37), numbers.floats(37)];
    const dx = new Float32Array(2);
    checkFeeding(backend, {
      what: "reluBackward",
      inputs: { dy, y },
      outputs: { dx: 37 },
      run: (all) => backend.kernels.reluBackward(all.dy, all.y, all.dx),
      reach: (input, at, _, to) => {
        if (at !== to) return "no";
        return input === "dy" ? reached(y[at]! > 0) : "maybe";
      },
    });

    backend.kernels.reluBackward(Float32Array.of(3, NaN), Float32Array.of(NaN, NaN), dx);

    if (dx[0] !== 3 || !Number.isNaN(dx[1])) throw new Error(`reluBackward behind a NaN is ${dx.join(", ")}`);
  },

  "dropout passes a NaN of a kept element": (backend) => {
    const x = new Numbers(122).floats(5 * 33);
    const kept = new Float32Array(x.length);
    const key = new Stream(3, "dropout").key(2);
    backend.kernels.dropout(x, kept, 5, 33, 0.6, key);
    checkFeeding(backend, {
      what: "dropout",
      inputs: { x },
      outputs: { y: x.length },
      run: (all) => backend.kernels.dropout(all.x, all.y, 5, 33, 0.6, key),
      reach: (_, at, __, to) => reached(at === to && kept[at] !== 0),
    });
  },

  "sum, sumSquares, columnSum and allFinite find a NaN or an infinity at any place": (backend) => {
    const { kernels } = backend;
    const [rows, units] = [41, 37];
    const x = new Numbers(123).floats(rows * units);
    const totals: Readonly<Record<string, (x: Float32Array) => number>> = {
      sum: (all) => kernels.sum(all),
      sumSquares: (all) => kernels.sumSquares(all),
      allFinite: (all) => (kernels.allFinite(all) ? 1 : NaN),
    };
    for (const [what, total] of Object.entries(totals)) {
      checkFeeding(backend, {
        what,
        inputs: { x },
        outputs: { out: 1 },
        run: (all) => all.out.fill(total(all.x)),
        reach: () => "yes",
      });
    }
    checkFeeding(backend, {
      what: "columnSum",
      inputs: { x },
      outputs: { out: units },
      run: (all) => kernels.columnSum(all.x, all.out, rows, units),
      reach: (_, at, __, to) => reached(at % units === to),
    });
  },

  "gateApply passes a NaN of h and of the gate, but for a gate of 0": (backend) => {
    const numbers = new Numbers(124);
    const [rows, units] = [5, 37];
    const [h, gate] = [zeroAtRandom(numbers, numbers.floats(rows * units)), numbers.gates(units)];
    checkFeeding(backend, {
      what: "gateApply",
      inputs: { h, gate },
      outputs: { y: rows * units },
      run: (all) => backend.kernels.gateApply(all.h, all.gate, all.y, rows, units),
      reach: (input, at, _, to) =>
        reached(input === "h" ? at === to && gate[to % units] !== 0 : to % units === at),
    });
  },

  "activationBackward passes a NaN of dy, h and the gate to dv, dgate and dbias": (backend) => {
    const numbers = new Numbers(125);
    const [rows, units] = [9, 37];
    for (const relu of [false, true]) {
      const dy = zeroAtRandom(numbers, numbers.floats(rows * units));
      const h = numbers.floats(rows * units).map((v) => (relu && v < 0 ? 0 : v));
      const gate = numbers.gates(units);
      checkFeeding(backend, {
        what: `activationBackward, relu ${relu}`,
        inputs: { dy, h, gate },
        outputs: { dv: rows * units, dgate: units, dbias: units },
        run: (all) =>
          backend.kernels.activationBackward(
            all.dy,
            all.h,
            all.gate,
            all.dv,
            all.dgate,
            all.dbias,
            rows,
            units,
            relu,
            0.8,
          ),
        reach: (input, at, output, to) => {
          const passes = (element: number): boolean => !relu || h[element]! > 0;
          if (at % units !== to % units) return "no";
          if (output === "dgate") return reached(input !== "gate");
          if (input === "h") return relu && (output === "dbias" || at === to) ? "maybe" : "no"; // dy passes behind a NaN
          if (input === "gate") return output === "dv" ? reached(passes(to)) : "maybe";
          const out = gate[at % units] !== 0 && passes(at);
          return reached(out && (output === "dbias" || at === to));
        },
      });
    }
  },

  "gateForward and gateBackward pass a NaN of the embedding and of da, but for a unit that is asleep": (
    backend,
  ) => {
    const numbers = new Numbers(126);
    const e = numbers.floats(40).map((v) => v * 12); // s e on both sides of the window of rule 0
    const [s, sMax] = [10, 400];
    for (const rule of [0, 1]) {
      checkFeeding(backend, {
        what: `gateForward, rule ${rule}`,
        inputs: { e },
        outputs: { a: 40 },
        run: (all) => backend.kernels.gateForward(all.e, all.a, s, rule),
        reach: (_, at, __, to, bad) => unlessInfinite(bad, reached(at === to)),
      });
    }
    for (const rule of [0, 1, 2, 3]) {
      checkFeeding(backend, {
        what: `gateBackward, rule ${rule}`,
        inputs: { da: zeroAtRandom(numbers, numbers.floats(40)), e },
        outputs: { q: 40 },
        run: (all) => backend.kernels.gateBackward(all.da, all.e, all.q, s, sMax, rule),
        reach: (input, at, _, to, bad) =>
          unlessInfinite(
            bad,
            reached(at === to && (input === "e" || rule !== 0 || Math.fround(s * e[at]!) > -50)),
          ),
      });
    }
  },

  "crossEntropy of a row with a NaN or an infinite logit is NaN, and the other rows are as they were": (
    backend,
  ) => {
    const [n, classes] = [5, 11];
    const labels = Int32Array.from({ length: n }, (_, row) => row);
    checkFeeding(backend, {
      what: "crossEntropy",
      inputs: { logits: new Numbers(127).floats(n * classes) },
      outputs: { losses: n, dlogits: n * classes },
      run: (all) => backend.kernels.crossEntropy(all.logits, labels, all.losses, all.dlogits, n, classes),
      reach: (_, at, output, to, bad) => {
        const row = output === "losses" ? to : Math.floor(to / classes);
        if (row !== Math.floor(at / classes)) return "no";
        return bad === -Infinity ? "maybe" : "yes"; // a probability of 0 is no mistake
      },
    });
  },

  "gatherMatrix and scatterMatrix copy what is not finite": (backend) => {
    const numbers = new Numbers(128);
    const [rows, columns] = [Uint32Array.of(0, 2, 3), Uint32Array.of(1, 2, 5, 6, 7)];
    const [wholeRows, wholeColumns] = [5, 8];
    const place = (at: number): number => rows[Math.floor(at / 5)]! * wholeColumns + columns[at % 5]!;
    checkFeeding(backend, {
      what: "gatherMatrix",
      inputs: { from: numbers.floats(wholeRows * wholeColumns) },
      outputs: { to: 15 },
      run: (all) => backend.kernels.gatherMatrix(all.from, all.to, rows, columns, wholeRows, wholeColumns),
      reach: (_, at, __, to) => reached(at === place(to)),
    });
    checkFeeding<"from" | "to", "to">(backend, {
      what: "scatterMatrix",
      inputs: { from: numbers.floats(15), to: numbers.floats(wholeRows * wholeColumns) },
      outputs: {},
      run: (all) =>
        backend.kernels.scatterMatrix(all.from, null, all.to, rows, columns, wholeRows, wholeColumns),
      reach: (input, at, _, to) => {
        if (input === "from") return reached(place(at) === to);
        return at === to ? "maybe" : "no"; // what is written over is gone
      },
    });
  },
};
