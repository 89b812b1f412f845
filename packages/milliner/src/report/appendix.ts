import { counted } from "../counted.ts";
import { html, type Html } from "./html.ts";
import type { RunHistory } from "./history.ts";
import type { ReportInput } from "./report-input.ts";

const mostCharacters = 20_000;
const mostWarnings = 100;

/** `run.yaml` as it is. */
export function configuration(text: string | null): Html {
  if (text === null) return html`<p class="none">There is no run.yaml in the folder.</p>`;
  const cut = Math.max(0, text.length - mostCharacters);
  return html`<pre tabindex="0">${text.slice(0, mostCharacters)}</pre>
    ${cut === 0 ? null : html`<p class="note">${counted(cut, "more character")} ${cut === 1 ? "is" : "are"} in run.yaml.</p>`}`;
}

/** What the learners warned of, each said once, and what was odd about the files. */
export function warnings({ events, remarks }: ReportInput, { method, controls }: RunHistory): Html {
  const said = new Set(remarks);
  for (const { learner, figures } of [method, ...controls]) {
    if (figures?.lockedUnchanged === false)
      said.add(`${learner}: elements that were locked have changed afterwards.`);
    for (const warning of figures?.warnings ?? []) said.add(`${learner}: ${warning}`);
  }
  for (const event of events) if (event.type === "warning") said.add(`${event.learner}: ${event.message}`);
  if (said.size === 0) return html`<p class="none">None.</p>`;
  const shown = [...said].slice(0, mostWarnings);
  const left = said.size - shown.length;
  return html`<ul class="warnings">
      ${shown.map((text) => html`<li>${text.slice(0, 500)}</li>`)}
    </ul>
    ${left === 0 ? null : html`<p class="note">${left} more ${left === 1 ? "is" : "are"} in events.jsonl.</p>`}`;
}
