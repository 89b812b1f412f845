import { counted } from "../counted.ts";
import { difference } from "../table.ts";
import { bytes, count, percent, short } from "./figure-text.ts";
import { html, type Html } from "./html.ts";
import type { ReportModel } from "./report-input.ts";

/** The ONNX files with their sizes, and whether onnxruntime gave the same answers. */
export function exportedModels(models: readonly ReportModel[] | null): Html {
  if (models === null || models.length === 0) {
    return html`<p class="none">
      Nothing was exported yet; <code>milliner export</code> writes one pruned ONNX file for each task.
    </p>`;
  }
  return html`<div class="scroll">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col" class="text">File</th>
            <th scope="col">Size</th>
            <th scope="col">Of dense</th>
            <th scope="col">Parameters</th>
            <th scope="col">Same answers</th>
            <th scope="col">Largest difference</th>
            <th scope="col">Verified</th>
          </tr>
        </thead>
        <tbody>
          ${models.map(row)}
        </tbody>
      </table>
    </div>
    <p class="note">
      Of dense: size beside the same network unpruned. Same answers: test images on which onnxruntime chose
      the class that milliner chose. Largest difference: of a logit, relative to the
      largest.${inputText(models[0]!)}
    </p>`;
}

/** The tasks of a run have one shape and one kind of transform. */
function inputText({ input, transform }: ReportModel): string {
  if (input === null || transform === null) return "";
  const steps =
    transform.length === 0
      ? ""
      : `; ${transform.join(" and ")} ${transform.length === 1 ? "is" : "are"} in the file`;
  return ` Input: ${input}, the bytes of images from 0 to 255${steps}.`;
}

function row(model: ReportModel): Html {
  const share = model.bytes === null || !model.denseBytes ? null : model.bytes / model.denseBytes;
  const compared = model.images !== null && model.images > 0;
  const same =
    compared && model.sameArgmax !== null ? `${count(model.sameArgmax)} / ${count(model.images)}` : "–";
  const ties = model.ties !== null && model.ties > 0 ? ` (${counted(model.ties, "tie")})` : "";
  return html`<tr>
    <th scope="row"><span class="no">${model.task}</span> ${short(model.name, 40)}</th>
    <td class="text"><code>${model.file}</code></td>
    <td>${bytes(model.bytes)}</td>
    <td>${share === null ? "–" : meter(share)}</td>
    <td>${count(model.parameters)}</td>
    <td>${same}${ties}</td>
    <td>${difference(model.largestDifference) ?? "–"}</td>
    <td>${verdict(model.ok)}</td>
  </tr>`;
}

function meter(share: number): Html {
  return html`<span class="meter" aria-hidden="true"
      ><i style="width:${Math.min(100, share * 100)}%"></i></span
    ><span>${percent(share, share < 0.1 ? 1 : 0)}</span>`;
}

function verdict(ok: boolean | null): Html {
  if (ok === null) return html`not verified`;
  return ok ? html`<span class="good">✓ yes</span>` : html`<span class="bad">✗ no</span>`;
}
