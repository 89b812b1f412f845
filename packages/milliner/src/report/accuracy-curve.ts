import { scaleLinear, scalePoint } from "d3-scale";
import { line } from "d3-shape";
import { percent, short } from "./figure-text.ts";
import { learnedAccuracy, type RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";

interface Frame {
  readonly name: "wide" | "narrow";
  readonly width: number;
  readonly height: number;
  readonly edge: {
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
    readonly left: number;
  };
  /** Letters of a learner's name. */
  readonly label: number;
}

// The style sheet shows one of them: scaled down to a telephone, the wide one's names could not be read.
const wide: Frame = {
  name: "wide",
  width: 720,
  height: 300,
  edge: { top: 14, right: 200, bottom: 44, left: 48 },
  label: 14,
};
const narrow: Frame = {
  name: "narrow",
  width: 368,
  height: 270,
  edge: { top: 14, right: 168, bottom: 44, left: 42 },
  label: 12,
};
const labelHeight = 20;

interface Curve {
  readonly learner: string;
  readonly values: readonly (number | null)[];
}

/** Mean accuracy over the learned tasks, after each task: the method and its controls, by colour, dash, mark and name. */
export function accuracyCurve({ method, controls, tasks }: RunHistory): Html {
  const curves: readonly Curve[] = [method, ...controls]
    .map(({ learner, matrix }) => ({ learner, values: learnedAccuracy(matrix) }))
    .filter(({ values }) => values.some((value) => value !== null));
  if (curves.length === 0) return html`<p class="none">No task has been evaluated yet.</p>`;

  return html`${[wide, narrow].map((frame) => picture(curves, tasks, frame))}`;
}

function picture(curves: readonly Curve[], tasks: number, frame: Frame): Html {
  const { edge } = frame;
  const all = curves.flatMap(({ values }) => values.filter((value) => value !== null));
  const bottom = Math.max(0, Math.min(0.95, Math.floor((Math.min(...all) - 0.005) * 20) / 20));
  const y = scaleLinear()
    .domain([bottom, 1])
    .range([frame.height - edge.bottom, edge.top]);
  const positions = Array.from(
    { length: Math.max(tasks, ...curves.map(({ values }) => values.length)) },
    (_, t) => t,
  );
  const x = scalePoint<number>()
    .domain(positions)
    .range([edge.left + 14, frame.width - edge.right]);
  const every = Math.ceil((positions.length * 24) / (frame.width - edge.left - edge.right));

  const grid = y
    .ticks(5)
    .map(
      (tick) =>
        html`<line
            class="grid"
            x1="${edge.left}"
            x2="${frame.width - edge.right + 10}"
            y1="${y(tick)}"
            y2="${y(tick)}"
          /><text class="tick" x="${edge.left - 8}" y="${y(tick) + 4}" text-anchor="end"
            >${(tick * 100).toFixed(bottom > 0.9 ? 1 : 0)}</text
          >`,
    );
  const ticks = positions
    .filter((t) => t % every === 0)
    .map(
      (t) =>
        html`<text class="tick" x="${x(t)!}" y="${frame.height - edge.bottom + 20}" text-anchor="middle"
          >${t}</text
        >`,
    );
  const drawn = curves.map((curve, i) => drawCurve(curve, i, (t) => x(t)!, y)).toReversed(); // the method above the others
  const labels = endLabels(curves, (t) => x(t)!, y, frame);
  return html`
    <svg class="curve ${frame.name}" viewBox="0 0 ${frame.width} ${frame.height}" role="img">
      <title>
        Mean accuracy in percent over the tasks learned so far, after each task:
        ${curves.map(({ learner, values }) => `${learner} ends at ${percent(values.findLast((value) => value !== null) ?? null)}`).join("; ")}
      </title>
      ${grid}${ticks}
      <text
        class="axis"
        x="${(edge.left + frame.width - edge.right) / 2}"
        y="${frame.height - 6}"
        text-anchor="middle"
      >
        after learning task
      </text>
      ${drawn}${labels}
    </svg>
  `;
}

function drawCurve(
  { learner, values }: Curve,
  i: number,
  x: (t: number) => number,
  y: (value: number) => number,
): Html {
  const path = line<number | null>()
    .defined((value) => value !== null)
    .x((_, t) => x(t))
    .y((value) => y(value!));
  const marks = values.map((value, t) =>
    value === null
      ? null
      : html`<g><title>${learner} after task ${t}: ${percent(value)}</title>${mark(i, x(t), y(value))}</g>`,
  );
  return html`<g class="s${i % 6}"><path class="line" d="${path(values) ?? ""}" />${marks}</g>`;
}

// A shape for each learner, so that nobody depends on the colours.
function mark(i: number, x: number, y: number): Html {
  const r = i === 0 ? 4.5 : 4;
  switch (i % 4) {
    case 0:
      return html`<circle class="mark" cx="${x}" cy="${y}" r="${r}" />`;
    case 1:
      return html`<rect class="mark" x="${x - r}" y="${y - r}" width="${2 * r}" height="${2 * r}" />`;
    case 2:
      return html`<path class="mark" d="M${x} ${y - r - 1}l${r + 1} ${2 * r}h${-2 * r - 2}z" />`;
    default:
      return html`<path
        class="mark"
        d="M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z"
      />`;
  }
}

/** Names at the ends of the lines, moved apart where they would overlap, with a thin line to where they belong. */
function endLabels(
  curves: readonly Curve[],
  x: (t: number) => number,
  y: (value: number) => number,
  frame: Frame,
): readonly Html[] {
  const { edge } = frame;
  const ends = curves
    .map(({ learner, values }, i) => {
      const t = values.findLastIndex((value) => value !== null);
      const value = values[t]!;
      return { learner, i, value, x: x(t), y: y(value) };
    })
    .toSorted((a, b) => a.y - b.y);
  const places: number[] = [];
  for (const end of ends) places.push(Math.max(end.y, (places.at(-1) ?? -Infinity) + labelHeight));
  // Down to the lower edge, and from there up again.
  let limit = frame.height - edge.bottom + 4;
  for (let i = places.length - 1; i >= 0; i--) {
    places[i] = Math.min(places[i]!, limit);
    limit = places[i]! - labelHeight;
  }
  const at = frame.width - edge.right + 26;
  return ends.map(
    (end, i) =>
      html`<g class="s${end.i % 6}"
        ><path
          class="lead"
          d="M${end.x + 7} ${end.y}L${at - 6} ${places[i]!}"
        />${mark(end.i, at, places[i]!)}<text
          class="label${end.i === 0 ? " first" : ""}"
          x="${at + 9}"
          y="${places[i]! + 4}"
          >${short(end.learner, frame.label)}
          <tspan class="value">${(end.value * 100).toFixed(1)}</tspan></text
        ></g
      >`,
  );
}
