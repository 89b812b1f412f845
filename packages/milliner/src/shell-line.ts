import { printable } from "@milliner/core";

/**
 * A line to paste, which a shell reads as these words whatever is in them, and which does nothing to the terminal that it
 * stands on: characters that would are named by their bytes. (A newline stands for itself: no shell keeps one that ends what
 * another command printed.)
 *
 * @param platform - on Windows a backslash is no sign to a shell, and no name holds a double quote
 */
export function shellLine(words: readonly string[], platform: NodeJS.Platform = process.platform): string {
  return words.map(platform === "win32" ? windowsWord : posixWord).join(" ");
}

// zsh expands a word that begins with `=`.
const plainWord = /^(?!=)[\w./:@%+=,-]+$/;

function posixWord(word: string): string {
  if (plainWord.test(word)) return word;
  const parts = Array.from(word, (character) => {
    if (character === "'") return `'\\''`;
    return character === "\n" || printable(character) === character ? character : `'${byteWord(character)}'`;
  });
  return `'${parts.join("")}'`;
}

/** A character by its bytes, in octal: the one form that every `printf` knows. */
function byteWord(character: string): string {
  const bytes = [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  return `"$(printf '${bytes.join("")}')"`;
}

function windowsWord(word: string): string {
  return plainWord.test(word.replaceAll("\\", "/")) ? word : `"${printable(word)}"`;
}
