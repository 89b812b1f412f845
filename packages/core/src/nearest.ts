/** The name that takes the fewest edits to make of `word`, or null when none is close. Case counts half. */
export function nearest(word: string, names: readonly string[]): string | null {
  let best: { readonly name: string; readonly distance: number } | null = null;
  for (const name of names) {
    const distance = Math.min(
      editDistance(word, name),
      editDistance(word.toLowerCase(), name.toLowerCase()) + 0.5,
    );
    if (best === null || distance < best.distance) best = { name, distance };
  }
  // Beyond half of its letters a word is another word, and the hint would mislead.
  return best !== null && best.distance <= Math.max(1, word.length / 2) ? best.name : null;
}

/** Letters inserted, removed, replaced, or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** `; did you mean "NAME"?` where a name is close, else a list of them. */
export function suggestion(word: string, names: readonly string[]): string {
  const close = nearest(word, names);
  return close === null ? `; there are ${names.join(", ")}` : `; did you mean "${close}"?`;
}
