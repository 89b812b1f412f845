import { counted } from "../counted.ts";
import { columnBlocks } from "./column-blocks.ts";
import { short } from "./figure-text.ts";
import { isOn, maskBytes, type RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";

// A run of columns takes ten characters, and there are at most half as many runs as columns.
const mostCharacters = 400_000;
const rowHeight = 14;
const mostColumns = 4096;
const mostSpaces = 40;

interface Space {
  readonly name: string;
  readonly units: number;
  readonly rows: readonly { readonly task: number; readonly bytes: Uint8Array }[];
}

/** Which units each task uses: a picture a channel space, and how many units each two tasks share. */
export function masks({ method }: RunHistory): Html {
  const spaces = spacesOf(method.masks);
  if (spaces.length === 0)
    return html`<p class="none">This method has no masks, or no task has ended yet.</p>`;
  const shown = spaces.slice(0, mostSpaces);
  const left = spaces.length - shown.length;
  const rows = shown.reduce((sum, space) => sum + space.rows.length, 0);
  const columns = Math.max(64, Math.min(mostColumns, Math.floor(mostCharacters / 5 / rows)));
  const name = (task: number): string => method.tasks[task] ?? `task ${task}`;
  return html`<p class="legend">
      <span><i class="fill-new"></i>on, first used by this task</span
      ><span><i class="fill-shared"></i>on, used by an earlier task too</span>
    </p>
    ${shown.map(
      (space) =>
        html`<section class="space">
          <h3>${space.name} <small>${counted(space.units, "unit")}</small></h3>
          ${picture(space, columns, name)} ${space.rows.length < 2 ? null : overlap(space, name)}
        </section>`,
    )}
    ${left === 0 ? null : html`<p class="note">${counted(left, "more channel space")} ${left === 1 ? "is" : "are"} not shown.</p>`}`;
}

function spacesOf(events: RunHistory["method"]["masks"]): readonly Space[] {
  const found = new Map<string, { units: number; rows: { task: number; bytes: Uint8Array }[] }>();
  for (const [task, spaces] of [...events].toSorted(([a], [b]) => a - b)) {
    for (const mask of spaces) {
      const space = found.get(mask.space) ?? { units: mask.units, rows: [] };
      space.units = Math.max(space.units, mask.units);
      space.rows.push({ task, bytes: maskBytes(mask) });
      found.set(mask.space, space);
    }
  }
  return [...found].map(([name, space]) => ({ name, ...space })).filter(({ units }) => units > 0);
}

function picture(
  { name: space, units, rows }: Space,
  mostColumns: number,
  name: (task: number) => string,
): Html {
  const perColumn = Math.ceil(units / mostColumns);
  const columns = Math.ceil(units / perColumn);
  const seen = new Uint8Array(units);
  const drawn = rows.map(({ task, bytes }, row) => {
    const fresh = new Uint8Array(columns);
    const shared = new Uint8Array(columns);
    let on = 0;
    let old = 0;
    for (let unit = 0; unit < units; unit++) {
      if (!isOn(bytes, unit)) continue;
      on++;
      old += seen[unit]!;
      (seen[unit] === 1 ? shared : fresh)[Math.floor(unit / perColumn)] = 1;
      seen[unit] = 1;
    }
    const middle = row + 0.5;
    return {
      label: html`<tr>
        <th scope="row" title="${name(task)}"><span class="no">${task}</span> ${short(name(task), 14)}</th>
        <td>${on}</td>
      </tr>`,
      lines: html`<g
        ><title>
          Task ${task} (${name(task)}): ${on} of ${counted(units, "unit")} on, ${old} of them used before</title
        ><rect class="row" width="${columns}" height="1" y="${row}" /><path
          class="new"
          d="${runs(fresh, middle)}" /><path class="shared" d="${runs(shared, middle)}"
      /></g>`,
    };
  });
  const height = rows.length * rowHeight;
  return html`<div class="mask">
    <table>
      <thead class="hidden">
        <tr>
          <th scope="col">Task</th>
          <th scope="col">Units on</th>
        </tr>
      </thead>
      <tbody>
        ${drawn.map(({ label }) => label)}
      </tbody>
    </table>
    <svg
      viewBox="0 0 ${columns} ${rows.length}"
      style="height:${height}px"
      preserveAspectRatio="none"
      role="img"
    >
      <title>
        Units on in ${space}: a row for each task, a column for
        ${perColumn === 1 ? "each unit" : `each ${perColumn} units, drawn where one of them is on`}
      </title>
      ${drawn.map(({ lines }) => lines)}
    </svg>
  </div>`;
}

/** Columns that are set, as one path of horizontal lines at the height `middle`. */
export function runs(columns: Uint8Array, middle: number): string {
  const parts: string[] = [];
  for (let start = columns.indexOf(1); start >= 0;) {
    const after = columns.indexOf(0, start);
    const end = after < 0 ? columns.length : after;
    parts.push(`M${start} ${middle}H${end}`);
    start = columns.indexOf(1, end);
  }
  return parts.join("");
}

function overlap(space: Space, name: (task: number) => string): Html {
  return html`<details>
    <summary>Units that two tasks share</summary>
    ${overlapTable(space, name)}
  </details>`;
}

function overlapTable({ rows }: Space, name: (task: number) => string): Html {
  const head = rows.map(({ task }) => html`<th scope="col" title="${name(task)}">${task}</th>`);
  const body = rows.map(({ task, bytes }, i) => ({
    name: html`<span class="no">${task}</span> ${short(name(task), 18)}`,
    cells: rows.map(
      (other, j) => html`<td${i === j ? html` class="own"` : null}>${sharedUnits(bytes, other.bytes)}</td>`,
    ),
  }));
  return html`<div class="scroll">
      ${columnBlocks({ className: "plain overlap", head, groups: [{ className: "", rows: body }] })}
    </div>
    <p class="note">
      Units that the task of the row and the task of the column both use; outlined: all units of a task.
    </p>`;
}

function sharedUnits(a: Uint8Array, b: Uint8Array): number {
  let units = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    for (let both = a[i]! & b[i]!; both !== 0; both &= both - 1) units++;
  }
  return units;
}
