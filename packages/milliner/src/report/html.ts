import { printableLines } from "../output.ts";

/** Markup that was put together by `html`: what came from elsewhere in it is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: markup as it is, text escaped, numbers with two decimals at most, nothing for null. */
export type HtmlPart = Html | string | number | null | readonly HtmlPart[];

/**
 * Markup from a template literal. The only way from text to markup: names of tasks and layers, warnings and settings come
 * from files that anybody may have written. Attribute values have to stand in double quotes.
 *
 * @throws RangeError for a number that is not finite: a picture must not hold a NaN
 */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(strings.map((text, i) => text + (i < parts.length ? markup(parts[i]!) : "")).join(""));
}

/** Parts, one after the other. */
export function join(parts: readonly HtmlPart[]): Html {
  return new Html(parts.map(markup).join(""));
}

function markup(part: HtmlPart): string {
  if (part === null) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "number") return decimal(part);
  return typeof part === "string" ? escape(part) : part.map(markup).join("");
}

function decimal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`a report cannot draw the number ${value}`);
  return String(Math.round(value * 100) / 100 + 0); // + 0, because -0 is printed as 0 by people
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Control characters are no HTML, and the marks of writing direction would turn the text after them around.
function escape(text: string): string {
  return printableLines(text).replace(/[&<>"']/g, (character) => entities[character]!);
}
