import { counted } from "../counted.ts";
import { duration, percent, points } from "./figure-text.ts";
import type { History, RunHistory } from "./history.ts";
import { html, type Html } from "./html.ts";

/** Method and controls, figure by figure. */
export function controlsTable({ method, controls }: RunHistory): Html {
  const learners = [method, ...controls];
  const note =
    controls.length === 0
      ? html`<p class="none">No control was run: the accuracy has nothing to be compared with.</p>`
      : null;
  return html`<div class="scroll">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Learner</th>
            <th scope="col">Average accuracy</th>
            <th scope="col">Backward transfer</th>
            <th scope="col">Forgetting</th>
            <th scope="col">Forward transfer</th>
            <th scope="col">Old logits bit-identical</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>
          ${learners.map((learner, i) => row(learner, i))}
        </tbody>
      </table>
    </div>
    <p class="note">
      Accuracy in percent, transfers and forgetting in points. Backward transfer: change of a task's accuracy
      from when it was learned to the end. Forgetting: its best accuracy less its last.
    </p>
    ${note}`;
}

function row({ learner, figures, matrix }: History, i: number): Html {
  const head = html`<th scope="row">
    <i class="key s${i % 6}" aria-hidden="true"></i>${learner}${i === 0 ? html` <small>method</small>` : null}
  </th>`;
  const first = i === 0 ? "first" : "";
  if (figures === null)
    return html`<tr class="${first}">
      ${head}
      <td colspan="6" class="none">not finished: ${counted(matrix.length, "task")} evaluated</td>
    </tr>`;
  const same = !figures.bitExactOldLogits ? "no" : matrix.length === 1 ? "–" : "yes";
  const forgetting = figures.forgetting === null ? "–" : (figures.forgetting * 100).toFixed(2);
  return html`<tr class="${first}">
    ${head}
    <td>${percent(figures.acc)}</td>
    <td>${points(figures.bwt)}</td>
    <td>${forgetting}</td>
    <td>${points(figures.fwt)}</td>
    <td>${same}</td>
    <td>${duration(figures.seconds)}</td>
  </tr>`;
}
