import { counted } from "../counted.ts";
import type { LayerCapacity } from "@milliner/continual";
import { scaleBand, scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { percent } from "./figure-text.ts";
import type { RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";

const size = { width: 270, height: 170 };
const edge = { top: 12, right: 8, bottom: 24, left: 38 };
const mostLayers = 40;

type AfterTask = readonly [task: number, capacity: LayerCapacity];

/** How full each layer is after each task: one small picture a layer, and the numbers. */
export function capacity({ method, tasks }: RunHistory): Html {
  const layers = new Map<string, AfterTask[]>();
  for (const [task, found] of [...method.capacity].toSorted(([a], [b]) => a - b)) {
    for (const one of found) layers.set(one.layer, [...(layers.get(one.layer) ?? []), [task, one]]);
  }
  if (layers.size === 0)
    return html`<p class="none">This method notes no capacity, or no task has ended yet.</p>`;
  const shown = [...layers].slice(0, mostLayers);
  const left = layers.size - shown.length;
  return html`<p class="legend">
      <span><i class="fill-active"></i>units of this task</span
      ><span><i class="fill-used"></i>units that only earlier tasks use</span
      ><span><i class="line-locked"></i>weights locked for later tasks</span>
    </p>
    <div class="multiples">${shown.map(([layer, after]) => picture(layer, after, tasks))}</div>
    ${left === 0 ? null : html`<p class="note">${counted(left, "more layer")} ${left === 1 ? "is" : "are"} not shown.</p>`}
    <details>
      <summary>The numbers</summary>
      ${table(shown)}
    </details>`;
}

function picture(layer: string, after: readonly AfterTask[], tasks: number): Html {
  const positions = Array.from({ length: Math.max(tasks, after.at(-1)![0] + 1) }, (_, t) => t);
  const x = scaleBand<number>()
    .domain(positions)
    .range([edge.left, size.width - edge.right])
    .padding(0.25);
  const y = scaleLinear()
    .domain([0, 1])
    .range([size.height - edge.bottom, edge.top]);
  const width = x.bandwidth();
  const grid = [0, 0.5, 1].map(
    (tick) =>
      html`<line
          class="grid"
          x1="${edge.left}"
          x2="${size.width - edge.right}"
          y1="${y(tick)}"
          y2="${y(tick)}"
        /><text class="tick" x="${edge.left - 6}" y="${y(tick) + 4}" text-anchor="end">${tick * 100}</text>`,
  );
  const bars = after.map(([task, one]) => {
    const left = x(task)!;
    const active = Math.min(one.active, one.used); // those of the task are among those used by any
    return html`<g
      ><title>
        ${layer} after task ${task}: ${percent(one.active, 1)} of units active, ${percent(one.used, 1)} used
        by any task, ${percent(one.locked, 1)} of weights locked</title
      ><rect class="active" x="${left}" y="${y(active)}" width="${width}" height="${y(0) - y(active)}" /><rect
        class="used"
        x="${left}"
        y="${y(one.used)}"
        width="${width}"
        height="${y(active) - y(one.used)}"
    /></g>`;
  });
  const middle = (task: number): number => x(task)! + width / 2;
  const locked = line<AfterTask>()
    .x(([task]) => middle(task))
    .y(([, one]) => y(one.locked))(after);
  const dots = after.map(
    ([task, one]) => html`<circle class="locked-dot" cx="${middle(task)}" cy="${y(one.locked)}" r="2.5" />`,
  );
  const every = Math.ceil(positions.length / 10);
  const ticks = positions
    .filter((t) => t % every === 0)
    .map(
      (t) =>
        html`<text class="tick" x="${middle(t)}" y="${size.height - 7}" text-anchor="middle">${t}</text>`,
    );
  const last = after.at(-1)![1];
  return html`<figure>
    <figcaption><b>${layer}</b> ${counted(last.units, "unit")}, ${percent(last.used, 0)} used</figcaption>
    <svg viewBox="0 0 ${size.width} ${size.height}" role="img">
      <title>
        Capacity of ${layer} in percent, after each task; ${percent(last.used, 1)} of its units used and
        ${percent(last.locked, 1)} of its weights locked at the end
      </title>
      ${grid}${bars}
      <path class="locked" d="${locked ?? ""}" />
      ${dots}${ticks}
    </svg>
  </figure>`;
}

function table(layers: readonly (readonly [string, readonly AfterTask[]])[]): Html {
  const rows = layers.flatMap(([layer, after]) =>
    after.map(
      ([task, one], i) =>
        html`<tr>
          ${i === 0 ? html`<th scope="rowgroup" rowspan="${after.length}">${layer}</th>` : null}
          <td>${task}</td>
          <td>${percent(one.active, 1)}</td>
          <td>${percent(one.used, 1)}</td>
          <td>${percent(one.locked, 1)}</td>
        </tr>`,
    ),
  );
  return html`<div class="scroll">
    <table class="plain">
      <thead>
        <tr>
          <th scope="col">Layer</th>
          <th scope="col">After task</th>
          <th scope="col">Units of this task</th>
          <th scope="col">Units of any task</th>
          <th scope="col">Weights locked</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
