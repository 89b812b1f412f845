import { promisesBits } from "@milliner/continual";
import { counted } from "../counted.ts";
import { percent, points } from "./figure-text.ts";
import { learnedAccuracy, type History, type RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";
import type { ReportInput, ReportResult } from "./report-input.ts";

const checkedIn = {
  "fresh-process": "checked in a fresh process",
  checkpoint: "checked from the reloaded checkpoint, in the same process",
  memory: "checked in memory only, not from a reloaded checkpoint",
} as const;

/** Title and verdict: what was run, what came of it, beside what it has to be compared with. */
export function headline({ result }: ReportInput, run: RunHistory): Html {
  const seed = run.seed === null ? null : html`<span>seed ${run.seed}</span>`;
  return html`<header>
    <p class="kind">Continual learning run</p>
    <h1>${run.scenario}</h1>
    <p class="what"><span>${run.method.learner}</span><span>${counted(run.tasks, "task")}</span>${seed}</p>
    <p class="verdict">${result === null ? unfinished(run) : verdict(run)}</p>
    ${result === null ? null : bits(result, run.tasks)}
  </header>`;
}

/** The best control, and `random-body`: what a body that learns nothing reaches is the floor of every method. */
function verdict({ method, controls }: RunHistory): Html {
  const ended = controls.flatMap(({ learner, figures }) =>
    figures === null ? [] : [{ learner, acc: figures.acc }],
  );
  const best = ended.toSorted((a, b) => b.acc - a.acc)[0];
  const floor = ended.find(({ learner }) => learner === "random-body" && learner !== best?.learner);
  const compared =
    best === undefined
      ? html`; no control was run`
      : html`, beside ${percent(best.acc)} of ${best.learner}, the best
        control${floor === undefined ? "" : html`, and ${percent(floor.acc)} of random-body`}`;
  return html`Average accuracy <strong>${percent(method.figures!.acc)}</strong>${compared}.`;
}

function unfinished({ method, tasks }: RunHistory): Html {
  const learned = method.matrix.length;
  const after = learnedAccuracy(method.matrix).at(-1) ?? null;
  const accuracy =
    after === null ? html`` : html` Average accuracy over them: <strong>${percent(after)}</strong>, so far.`;
  return html`<span class="interrupted">Not finished</span> There is no result.json: the run was interrupted
    or is still going. ${learned} of ${counted(tasks, "task")} learned and evaluated; this is what is
    there.${accuracy}`;
}

/** A promise that was kept or broken, or, of a method that locks nothing and so promises nothing, a figure. */
function bits(result: ReportResult, tasks: number): Html {
  const { learner, bitExactOldLogits: same, bitExactCheckedIn } = result;
  const where = checkedIn[bitExactCheckedIn];
  if (same && tasks === 1) return html`<p class="bits">One task: no earlier logits to compare yet</p>`;
  const word = same ? "yes" : "no";
  if (!promisesBits(result)) {
    return html`<p class="bits">
      Logits of earlier tasks bit-identical: ${word}, ${where}; ${learner} locks nothing and does not promise
      it
    </p>`;
  }
  return html`<p class="bits ${same ? "good" : "bad"}">
    <span aria-hidden="true">${same ? "✓" : "✗"}</span> Logits of earlier tasks bit-identical:
    <strong>${word}</strong>, ${where}
  </p>`;
}

/** The row of figures under the title. */
export function figuresRow(run: RunHistory): Html {
  const { method, controls } = run;
  const { figures } = method;
  if (figures === null) return html``;
  const ended = controls.filter((control) => control.figures !== null);
  const best = ended.toSorted((a, b) => b.figures!.acc - a.figures!.acc)[0];
  const cells = [
    figure(
      "Average accuracy",
      percent(figures.acc),
      best === undefined
        ? "no control to compare with"
        : beside(figures.acc - best.figures!.acc, best.learner),
    ),
    figure("Backward transfer", points(figures.bwt), "points; 0 is nothing lost"),
    figure(
      "Forgetting",
      figures.forgetting === null ? "–" : (figures.forgetting * 100).toFixed(2),
      "points, mean over old tasks",
    ),
    figure("Forward transfer", points(figures.fwt), "points, before learning"),
    ...used(method),
  ];
  return html`<dl class="figures">${cells}</dl>`;
}

/** A distance with its direction in words; the words are the sign. */
function beside(difference: number, learner: string): string {
  const distance = (Math.abs(difference) * 100).toFixed(2);
  if (distance === "0.00") return `the same as ${learner}`;
  return `${distance} ${distance === "1.00" ? "point" : "points"} ${difference < 0 ? "below" : "above"} ${learner}`;
}

function figure(name: string, value: string, note: string): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd><b>${value}</b><span>${note}</span></dd>
  </div>`;
}

function used({ capacity }: History): readonly Html[] {
  const layers = [...capacity.entries()].toSorted(([a], [b]) => b - a)[0]?.[1] ?? [];
  const units = layers.reduce((sum, layer) => sum + layer.units, 0);
  if (units === 0) return [];
  const share = layers.reduce((sum, layer) => sum + layer.used * layer.units, 0) / units;
  return [figure("Units used", percent(share, 0), `of ${units}, by any task`)];
}
