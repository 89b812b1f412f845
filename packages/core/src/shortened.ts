import { printable } from "./printable.ts";

/**
 * The start of a name where there is no room for all of it, in whole characters and `printable`: names come from files, and one
 * of 5,000 letters is no reason for lines of 5,000 letters.
 *
 * @param characters - how many are shown at most, `mark` among them
 * @param mark - what stands for the rest
 */
export function shortened(name: string, characters = 40, mark = "..."): string {
  const shown = printable(name);
  if (shown.length <= characters) return shown;
  const all = Array.from(shown);
  return all.length <= characters ? shown : `${all.slice(0, characters - mark.length).join("")}${mark}`;
}
