import { html, type Html } from "./html.ts";

/** A table with a column for each task. */
export interface WideTable {
  readonly className: string;
  /** Heads of the columns, `<th>` each. */
  readonly head: readonly Html[];
  /** Groups of rows, one below the other. */
  readonly groups: readonly { readonly className: string; readonly rows: readonly WideRow[] }[];
}

export interface WideRow {
  /** What stands in the row's head. */
  readonly name: Html;
  /** A `<td>` for each column, null where nothing was measured. */
  readonly cells: readonly (Html | null)[];
}

// With the narrow cells and the clipped names of the style sheet's print rules, 20 columns are 570 px wide: A4 and US letter
// have 600 between margins of an inch.
const paperColumns = 20;

/**
 * A table as blocks of so many columns as fit on paper. The style sheet lays them side by side on a screen, where they scroll,
 * and one below the other on paper, where each says its rows' names again and leaves out rows that are empty in it.
 */
export function columnBlocks({ className, head, groups }: WideTable): Html {
  const starts = Array.from({ length: Math.ceil(head.length / paperColumns) }, (_, i) => i * paperColumns);
  const blocks = starts.map((start) => {
    const part = <T>(columns: readonly T[]): readonly T[] => columns.slice(start, start + paperColumns);
    const again = classAttribute(start === 0 ? "" : "again");
    const bodies = groups.map(({ className: group, rows }) => {
      const lines = rows.map(({ name, cells }) => {
        const own = part(cells);
        return html`<tr${classAttribute(own.every((cell) => cell === null) ? "bare" : "")}>
          <th scope="row"${again}><span>${name}</span></th>
          ${own.map((cell) => cell ?? blank)}
        </tr>`;
      });
      return html`<tbody${classAttribute(group)}>
        ${lines}
      </tbody>`;
    });
    return html`<table class="${className}">
      <thead>
        <tr>
          <td${again}></td>
          ${part(head)}
        </tr>
      </thead>
      ${bodies}
    </table>`;
  });
  return html`<div class="blocks">${blocks}</div>`;
}

const blank = html`<td class="blank"><span class="hidden">not measured</span></td>`;

function classAttribute(name: string): Html | null {
  return name === "" ? null : html` class="${name}"`;
}
