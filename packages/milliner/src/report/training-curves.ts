import { counted } from "../counted.ts";
import { scaleLinear, type ScaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { percent, short } from "./figure-text.ts";
import type { RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";
import type { ReportEpoch } from "./report-input.ts";

const size = { width: 210, height: 190 };
const edge = { right: 6, left: 36 };
// The name of a band stands above it, where no curve can be.
const accuracyBand = [20, 84] as const;
const lossBand = [108, 168] as const;
const nameAbove = 8;
const mostPoints = 6000;

/** Loss and accuracy of the method, epoch by epoch: one small picture a task, all on the same scales. */
export function trainingCurves({ method }: RunHistory): Html {
  const tasks = [...method.epochs].filter(([, epochs]) => epochs.length > 0).toSorted(([a], [b]) => a - b);
  if (tasks.length === 0) return html`<p class="none">No epoch has ended yet.</p>`;
  const all = tasks.flatMap(([, epochs]) => epochs);
  const accuracies = all.flatMap(({ validationAccuracy }) => validationAccuracy ?? []);
  const losses = all.flatMap((epoch) => [epoch.trainLoss ?? [], epoch.validationLoss ?? []].flat());
  const lowest = accuracies.reduce((a, b) => Math.min(a, b), 0.9);
  const scales: Scales = {
    x: scaleLinear()
      .domain([
        0,
        Math.max(
          1,
          all.reduce((most, { epoch }) => Math.max(most, epoch), 0),
        ),
      ])
      .range([edge.left, size.width - edge.right]),
    accuracy: scaleLinear()
      .domain([Math.floor(lowest * 10) / 10, 1])
      .range([accuracyBand[1], accuracyBand[0]]),
    loss: scaleLinear().domain(lossDomain(losses)).nice(3).range([lossBand[1], lossBand[0]]),
  };
  const points = Math.max(20, Math.floor(mostPoints / tasks.length));
  return html`<p class="legend">
      <span><i class="line-validation"></i>validation</span><span><i class="line-train"></i>training</span>
    </p>
    <div class="multiples small">
      ${tasks.map(([task, epochs]) => picture(task, method.tasks[task] ?? `task ${task}`, thin(epochs, points), scales))}
    </div>`;
}

interface Scales {
  readonly x: ScaleLinear<number, number>;
  readonly accuracy: ScaleLinear<number, number>;
  readonly loss: ScaleLinear<number, number>;
}

function lossDomain(losses: readonly number[]): [number, number] {
  const lowest = losses.reduce((a, b) => Math.min(a, b), 0);
  const highest = losses.reduce((a, b) => Math.max(a, b), 0);
  // A diverged loss of 1e300 would leave scales without a span; what lies beyond is drawn at the edge.
  return [Math.max(lowest, -1e6), Math.max(Math.min(highest, 1e6), 0.1)];
}

function thin(epochs: readonly ReportEpoch[], most: number): readonly ReportEpoch[] {
  const every = Math.ceil(epochs.length / most);
  return epochs.filter((_, i) => i % every === 0 || i === epochs.length - 1);
}

function picture(task: number, name: string, epochs: readonly ReportEpoch[], scales: Scales): Html {
  const { x, accuracy, loss } = scales;
  const path = (
    key: "trainLoss" | "validationLoss" | "validationAccuracy",
    y: ScaleLinear<number, number>,
  ): string =>
    line<ReportEpoch>()
      .defined((epoch) => epoch[key] !== null)
      .x(({ epoch }) => x(epoch))
      .y((epoch) => y.copy().clamp(true)(epoch[key]!))(epochs) ?? "";
  const axis = (y: ScaleLinear<number, number>, text: (tick: number) => string): readonly Html[] =>
    y
      .ticks(2)
      .map(
        (tick) =>
          html`<line
              class="grid"
              x1="${edge.left}"
              x2="${size.width - edge.right}"
              y1="${y(tick)}"
              y2="${y(tick)}"
            /><text class="tick" x="${edge.left - 5}" y="${y(tick) + 4}" text-anchor="end"
              >${text(tick)}</text
            >`,
      );
  const last = epochs.at(-1)!;
  const ends = [x.domain()[0]!, x.domain()[1]!].map(
    (epoch, i) =>
      html`<text class="tick" x="${x(epoch)}" y="184" text-anchor="${i === 0 ? "start" : "end"}"
        >${i === 0 ? "epoch 1" : String(epoch + 1)}</text
      >`,
  );
  const lossText = last.validationLoss === null ? "not finite" : last.validationLoss.toPrecision(3);
  return html`<figure>
    <figcaption title="${name}">
      <span class="no">${task}</span> <b>${short(name, 16)}</b> ${percent(last.validationAccuracy, 1)}
    </figcaption>
    <svg viewBox="0 0 ${size.width} ${size.height}" role="img">
      <title>
        Training of task ${task} (${name}) over ${counted(last.epoch + 1, "epoch")}: validation accuracy
        ${percent(last.validationAccuracy)}, validation loss ${lossText} at the end
      </title>
      ${axis(accuracy, (tick) => (tick * 100).toFixed(0))}${axis(loss, (tick) => String(tick))}
      <text class="band" x="${size.width - edge.right}" y="${accuracyBand[0] - nameAbove}" text-anchor="end">
        accuracy, %
      </text>
      <text class="band" x="${size.width - edge.right}" y="${lossBand[0] - nameAbove}" text-anchor="end">
        loss
      </text>
      <path class="line validation" d="${path("validationAccuracy", accuracy)}" />
      <path class="line train" d="${path("trainLoss", loss)}" />
      <path class="line validation" d="${path("validationLoss", loss)}" />
      ${ends}
    </svg>
  </figure>`;
}
