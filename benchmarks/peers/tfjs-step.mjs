// A step of plain SGD in tfjs on its wasm backend, timed on request: a peer of `npm run bench:step`, when it is installed.
// The MLP 784-2000-2000-10 at batch 64, squared error, no dropout: less than what our steps do.
//
//   node tfjs-step.mjs FOLDER          in whose node_modules @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm are
//
// Requests and answers are one JSON object a line: {"describe": true} -> {"name"}, {"run": 3} -> {"cpuSeconds",
// "wallSeconds"} of three steps together.
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";

const [inputs, units, classes, batchSize] = [784, 2000, 10, 64];

const require = createRequire(join(resolve(process.argv[2] ?? "."), "package.json"));
// stdout is for answers, and tfjs greets there.
console.log = () => {};
console.info = () => {};
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");
const files = dirname(require.resolve("@tensorflow/tfjs-backend-wasm"));
wasm.setWasmPaths(files.endsWith("/") ? files : `${files}/`);
await tf.setBackend("wasm");
await tf.ready();

const weight = (rows, columns) => tf.variable(tf.randomNormal([rows, columns], 0, Math.sqrt(1 / rows)));
const parameters = [
  [weight(inputs, units), tf.variable(tf.zeros([units]))],
  [weight(units, units), tf.variable(tf.zeros([units]))],
  [weight(units, classes), tf.variable(tf.zeros([classes]))],
];
const images = tf.tidy(() => {
  const shown = tf.greater(tf.randomUniform([batchSize, inputs]), 0.8);
  return tf.mul(tf.randomUniform([batchSize, inputs]), tf.cast(shown, "float32"));
});
const wanted = tf.oneHot(
  tf.tensor1d(
    Array.from({ length: batchSize }, (_, i) => i % classes),
    "int32",
  ),
  classes,
);
const optimizer = tf.train.sgd(0.05);

function loss() {
  let h = images;
  for (const [i, [w, b]] of parameters.entries()) {
    h = tf.add(tf.matMul(h, w), b);
    if (i < parameters.length - 1) h = tf.relu(h);
  }
  return tf.mean(tf.square(tf.sub(h, wanted)));
}

function timed(count) {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const value = optimizer.minimize(loss, true);
    value.dataSync();
    value.dispose();
  }
  const { user, system } = process.cpuUsage(cpu);
  return { cpuSeconds: (user + system) * 1e-6, wallSeconds: (performance.now() - wall) * 1e-3 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer =
    "run" in request ? timed(request.run) : { name: `tfjs ${tf.version.tfjs} (${tf.getBackend()})` };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
