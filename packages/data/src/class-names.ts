import { DataError } from "./data-error.ts";
import { recogniseFile } from "./file-kind.ts";

/** A label is a byte. */
export const maxClasses = 256;

// Names may be as long as a file: messages show their start.
const mostCharacters = 40;

/** The name of a class as messages show it. */
export function quotedClass(className: string): string {
  const all = Array.from(className);
  const shown = all.length <= mostCharacters ? className : `${all.slice(0, mostCharacters - 3).join("")}...`;
  return JSON.stringify(shown);
}

/**
 * Class names in the one form in which Unicode composes letters (NFC): "é" from one system and "e" with an accent behind it from
 * another are one name.
 *
 * @param owner - what messages call the place that they come from
 * @throws DataError `BAD_CLASS_NAMES` when two classes have one name
 */
export function composedClasses(classes: readonly string[], owner: string): readonly string[] {
  const composed = classes.map((className) => className.normalize("NFC"));
  const second = composed.findIndex((className, label) => composed.indexOf(className) !== label);
  if (second >= 0) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${owner}: classes ${composed.indexOf(composed[second]!)} and ${second} are both called ${quotedClass(composed[second]!)}; ` +
        `give each a name of its own.`,
    );
  }
  return composed;
}

/**
 * The names of classes from a text file: UTF-8, one name a line, line n naming label n (from 0).
 *
 * Names go into tables, reports and terminals, so control characters are refused. Blank lines at the end are
 * ignored.
 *
 * @param bytes - the file
 * @param name - what messages call it
 * @returns 1 to 256 names, trimmed
 * @throws DataError `BAD_CLASS_NAMES`
 */
export function parseClassNames(bytes: Uint8Array, name: string): string[] {
  const found = recogniseFile(bytes);
  if (found?.advice !== undefined) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${name} is ${found.what}, not a list of class names; ${found.advice}.`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${name} is not UTF-8 text; save it as UTF-8, one class name a line.`,
      {
        cause: error,
      },
    );
  }
  const names = text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim());
  names.forEach((className, label) => {
    if (className === "") {
      throw new DataError(
        "BAD_CLASS_NAMES",
        `${name} line ${label + 1} is blank, but line n names label n - 1; write a name there.`,
      );
    }
    if (/\p{Cc}/u.test(className)) {
      throw new DataError(
        "BAD_CLASS_NAMES",
        `${name} line ${label + 1} has a control character; write one plain name a line.`,
      );
    }
  });
  if (names.length > maxClasses) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${name} names ${names.length} classes, but a label is a byte: at most ${maxClasses}; shorten it.`,
    );
  }
  return names;
}
