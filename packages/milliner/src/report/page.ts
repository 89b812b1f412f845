import { createHash } from "node:crypto";
import { accuracyCurve } from "./accuracy-curve.ts";
import { accuracyMatrix } from "./accuracy-matrix.ts";
import { capacity } from "./capacity.ts";
import { controlsTable } from "./controls-table.ts";
import { exportedModels } from "./exported-models.ts";
import { figuresRow, headline } from "./headline.ts";
import { gather } from "./history.ts";
import { Html, html } from "./html.ts";
import { masks } from "./masks.ts";
import type { ReportInput } from "./report-input.ts";
import { style } from "./style.ts";
import { trainingCurves } from "./training-curves.ts";
import { configuration, warnings } from "./appendix.ts";

// On paper nobody can open what is closed.
const script =
  'addEventListener("beforeprint",()=>document.querySelectorAll("details").forEach(d=>{d.open=true}))';
// Not within the template: the policy's hash is over every character, and a formatter may indent a template's scripts.
const scriptElement = new Html(`<script>${script}</script>`);
// Nothing is loaded, and nothing but that line runs, whatever the names in a run are.
const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${createHash("sha256").update(script).digest("base64")}'; base-uri 'none'; form-action 'none'`;

/**
 * The report of a run as one HTML file: no network, and no script needed to read it.
 *
 * @param run - as `readRun` gives it: its numbers are finite; its texts may be anything
 * @throws RangeError when a number is not finite
 */
export function renderReport(run: ReportInput): string {
  const history = gather(run);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${new Html(policy)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${history.scenario} · ${history.method.learner} · milliner</title>
        <style>
          ${new Html(style)}
        </style>
      </head>
      <body>
        <main>
          ${headline(run, history)} ${figuresRow(history)}
          ${section("matrix", "Accuracy, task by task", accuracyMatrix(history))}
          ${section(
            "curve",
            "Accuracy over tasks",
            html`<p class="note">Mean over the tasks learned so far, in percent.</p>
              ${accuracyCurve(history)}`,
          )}
          ${section("controls", "Beside its controls", controlsTable(history))}
          ${section(
            "capacity",
            "Capacity",
            html`<p class="note">Percent of each layer, after each task.</p>
              ${capacity(history)}`,
          )}
          ${section("masks", "Masks", masks(history))}
          ${section("training", "Training", trainingCurves(history))}
          ${section("models", "ONNX files", exportedModels(run.models))}
          ${section("configuration", "Configuration", configuration(run.configuration))}
          ${section("warnings", "Warnings", warnings(run, history))}
        </main>
        <footer><p>Run ${run.name}. Written by milliner.</p></footer>
        ${scriptElement}
      </body>
    </html> `.text;
}

function section(id: string, title: string, content: Html): Html {
  return html`<section id="${id}" aria-labelledby="${id}-heading">
    <h2 id="${id}-heading">${title}</h2>
    ${content}
  </section>`;
}
