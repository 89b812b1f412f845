// Runs every normalisation with its gradients on the cpu backend, on shapes that are worth several threads and beside the
// sizes of vectors, and prints the SHA-256 of all results with the instruction set that computed them.
// Usage: MILLINER_ISA=avx2 node normalise.mjs THREADS
import { createHash } from "node:crypto";
import { cpuStatus, selectBackend, setThreads, Tape, tensor } from "@milliner/core";
import { batchNorm, globalAveragePool, groupNorm, layerNorm, multiply, sum } from "@milliner/core/operations";

const [threads] = process.argv.slice(2).map(Number);
const backend = selectBackend("cpu");
setThreads(threads);
const hash = createHash("sha256");

let state = 1;
function numbers(shape) {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 30 - 2;
  });
  return tensor(values, shape, { backend, requiresGrad: true });
}

function record(name, shape, operation) {
  const channels = [shape.at(-1)];
  const inputs = [numbers(shape), numbers(channels), numbers(channels)];
  const tape = new Tape();
  const y = operation(...inputs, tape);
  const gradients = tape.backward(sum(multiply(y, numbers(y.shape), tape), tape));
  hash.update(name).update(y.data);
  for (const input of inputs) hash.update(gradients.get(input)?.data ?? name);
}

const training = { training: true };
for (const shape of [
  [70, 13, 3],
  [2, 35, 35, 65],
]) {
  record("batchNorm", shape, (x, gamma, beta, tape) => batchNorm(x, gamma, beta, training, tape));
  record("with relu", shape, (x, gamma, beta, tape) =>
    batchNorm(x, gamma, beta, { ...training, relu: true }, tape),
  );
  record("globalAveragePool", shape, (x, gamma, beta, tape) => globalAveragePool(x, tape));
}
for (const shape of [
  [70, 9, 6],
  [7, 20, 20, 66],
  [400, 351],
]) {
  record("groupNorm", shape, (x, gamma, beta, tape) => groupNorm(x, 3, gamma, beta, {}, tape));
  record("layerNorm", shape, (x, gamma, beta, tape) => layerNorm(x, gamma, beta, {}, tape));
}
process.stdout.write(`${JSON.stringify({ isa: cpuStatus().isa, bits: hash.digest("hex") })}\n`);
