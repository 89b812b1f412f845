/**
 * The start of a name where there is no room for all of it, in whole characters: names come from files, and one of 5,000
 * letters is no reason for lines of 5,000 letters.
 *
 * @param characters - how many are shown at most, `mark` among them
 * @param mark - what stands for the rest
 */
export function shortened(name: string, characters = 40, mark = "..."): string {
  if (name.length <= characters) return name;
  const all = Array.from(name);
  return all.length <= characters ? name : `${all.slice(0, characters - mark.length).join("")}${mark}`;
}
