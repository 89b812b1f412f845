/** A count with its word: `1 epoch`, `12 epochs`. */
export function counted(count: number, singular: string): string {
  return `${count} ${count === 1 ? singular : `${singular}s`}`;
}
