import { scaleLinear, scaleQuantize } from "d3-scale";
import { columnBlocks } from "./column-blocks.ts";
import { percent, points, short } from "./figure-text.ts";
import type { History, RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";

const steps = 8;
const light = scaleLinear<string>().domain([0, 3, 7]).range(["#eef3f8", "#cfe0ee", "#2b72b8"]);
const dark = scaleLinear<string>().domain([0, 3, 7]).range(["#1d2733", "#23405c", "#8fc3f4"]);

/** Colours of the cells, low to high accuracy, for both colour schemes, each with the text colour that is read best on it. */
export function heatStyle(scheme: "light" | "dark"): string {
  const scale = scheme === "light" ? light : dark;
  return Array.from({ length: steps }, (_, i) => {
    const colour = scale(i);
    return `.h${i}{background:${colour};color:${textOn(colour)}}`;
  }).join("");
}

/** Black or white, whichever has more contrast on `colour`, "rgb(r, g, b)" or "#rrggbb". */
export function textOn(colour: string): "#000" | "#fff" {
  const l = luminance(colour);
  return (l + 0.05) / 0.05 >= 1.05 / (l + 0.05) ? "#000" : "#fff";
}

// Relative luminance of WCAG 2.
function luminance(colour: string): number {
  const parts = colour.startsWith("#")
    ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
  const [r, g, b] = parts.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

/** Accuracy on task j (column) after learning task t (row); below it the controls at their end. */
export function accuracyMatrix({ method, controls }: RunHistory): Html {
  const { matrix, tasks } = method;
  if (matrix.length === 0) return html`<p class="none">No task has been evaluated yet.</p>`;
  const columns = Math.max(matrix.length, ...matrix.map((row) => row.length));
  const name = (task: number): string => tasks[task] ?? `task ${task}`;
  const learned = matrix.flatMap((row, t) => row.filter((_, j) => j <= t));
  const lowest = Math.min(...learned.filter((value) => value !== null), ...lastRows(controls), 1);
  const floor = Math.max(0, Math.min(0.9, Math.floor(lowest * 10 + 1e-9) / 10)); // at least 0.1 wide: a small drop looks small
  const class_ = scaleQuantize<number>()
    .domain([floor, 1])
    .range(Array.from({ length: steps }, (_, i) => i));
  const digits = columns > 12 ? 0 : 1;
  const text = (value: number): string => (value * 100).toFixed(digits);

  const cell = (t: number, j: number): Html | null => {
    const value = matrix[t]?.[j] ?? null;
    if (value === null) return null;
    const what = `Task ${j} (${name(j)}) after task ${t}: ${percent(value)}`;
    if (j > t) return html`<td class="early" title="${what}, before it was learned">${text(value)}</td>`;
    const then = matrix[j]?.[j] ?? null;
    const since = j === t || then === null ? "" : `, ${points(value - then)} points since it was learned`;
    return html`<td class="h${class_(value)}${j === t ? " own" : ""}" title="${what}${since}">
      ${text(value)}
    </td>`;
  };
  const indices = Array.from({ length: columns }, (_, j) => j);
  const head = indices.map(
    (j) =>
      html`<th scope="col" title="${name(j)}">
        <span class="no">${j}</span><span class="name">${short(name(j), 24)}</span>
      </th>`,
  );
  const rows = matrix.map((_, t) => ({
    name: html`<span class="no">${t}</span> ${short(name(t), 18)}`,
    cells: indices.map((j) => cell(t, j)),
  }));
  const ends = controls.flatMap((control) => {
    const last = control.matrix.length === columns ? control.matrix.at(-1)! : null;
    if (last === null) return [];
    const cells = indices.map((j) => controlCell(last[j] ?? null, class_, text));
    return [{ name: html`${short(control.learner, 18)}`, cells }];
  });
  const table = columnBlocks({
    className: `matrix${columns > 10 ? " many" : ""}${columns > 18 ? " crowd" : ""}`,
    head,
    groups: [{ className: "", rows }, ...(ends.length === 0 ? [] : [{ className: "ends", rows: ends }])],
  });
  return html`<div
      class="scroll"
      tabindex="0"
      role="region"
      aria-label="Accuracy matrix"
      aria-describedby="matrix-note"
    >
      ${table}
    </div>
    <p class="note" id="matrix-note">
      Row: after learning that task. Column: accuracy on its test set, in percent. Outlined: the task just
      learned. Grey: not learned yet.${ends.length === 0 ? "" : " Last rows: the controls at their end."}
    </p>
    <p class="ramp" aria-hidden="true">
      <span>${(floor * 100).toFixed(0)} %</span
      >${Array.from({ length: steps }, (_, i) => html`<i class="h${i}"></i>`)}<span>100 %</span>
    </p>`;
}

function controlCell(
  value: number | null,
  class_: (value: number) => number,
  text: (value: number) => string,
): Html | null {
  return value === null ? null : html`<td class="h${class_(value)}">${text(value)}</td>`;
}

function lastRows(controls: readonly History[]): readonly number[] {
  return controls.flatMap(({ matrix }) => (matrix.at(-1) ?? []).filter((value) => value !== null));
}
