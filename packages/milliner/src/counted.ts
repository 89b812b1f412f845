/**
 * A count with its word: `1 epoch`, `12 epochs`.
 * @param plural - default: the word with an s
 */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}
