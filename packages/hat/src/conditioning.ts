import {
  channelSpaces,
  edgeWidth,
  parameterEdges,
  parameterSpecs,
  type EdgeUnits,
  type Gradients,
  type Network,
  type Parameters,
} from "@milliner/core";
import type { CumulativeGates } from "./regulariser.ts";

/** Cumulative gates element by element. What is never gated, the input's units, every task before has used. */
function alongEdge(edge: EdgeUnits, before: CumulativeGates): Float32Array {
  const values = new Float32Array(edgeWidth(edge)).fill(1);
  let at = 0;
  for (const { spaces, positions } of edge.pieces) {
    for (let position = 0; position < positions; position++) {
      for (const { name, units } of spaces) {
        values.set(before.get(name) ?? [], at);
        at += units;
      }
    }
  }
  return values;
}

/**
 * Scales the gradients of the body down where earlier tasks use both units of a weight. Equation (2):
 *
 *     g'_ij = (1 - min(a_i^{<t}, a_j^{<t})) g_ij        biases and the first layer: (1 - a_i^{<t}) g
 *
 * This is the soft, published protection and leaks where gates are fractions; it serves the `official` arithmetic. On bits
 * locks take its place (`protect`), which do not multiply: 0 * Inf is NaN, and momentum moves a weight of zero gradient.
 *
 * Source: Serrà et al. 2018, section 2.3, (2); joansj/hat for the biases.
 *
 * @param before - cumulative gates of the tasks before, for every gated space of `body`
 */
export function gradientConditioning(
  body: Network,
  parameters: Parameters,
  gradients: Gradients,
  before: CumulativeGates,
): void {
  const spaces = channelSpaces(body);
  for (const spec of parameterSpecs(body)) {
    const gradient = gradients.get(parameters.get(spec.name)!);
    const edges = parameterEdges(spec, spaces);
    if (gradient === undefined) continue;
    const post = alongEdge(edges.rows, before);
    const pre = edges.columns === undefined ? undefined : alongEdge(edges.columns, before);
    const columns = gradient.data.length / post.length;
    for (let i = 0; i < post.length; i++) {
      for (let j = 0; j < columns; j++) {
        const shared = pre === undefined ? post[i]! : Math.min(post[i]!, pre[j % pre.length]!);
        gradient.data[i * columns + j]! *= Math.fround(1 - shared);
      }
    }
  }
}
