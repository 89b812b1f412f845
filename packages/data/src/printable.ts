/**
 * Text from a file as it may be shown on a terminal: control characters (which move the cursor or change colours), line
 * separators, the marks that turn the direction of writing, and what has neither ink nor width stand as `\u{...}`, everything
 * else as itself. The same as core's function of this name, which this floor cannot import: a test of the command holds the two
 * together.
 */
export function printable(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
