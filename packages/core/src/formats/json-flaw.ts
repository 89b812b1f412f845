/** What is wrong with a JSON text that `JSON.parse` would not mind. */
export type JsonFlaw =
  | { readonly kind: "repeated key"; readonly key: string }
  | { readonly kind: "too deep"; readonly depth: number };

/**
 * Looks for an object that has a key twice. `JSON.parse` takes the last of them and says nothing, other readers take the
 * first: two programs would see two files in one. Keys are compared as they read, however they are spelled (`\u0061` is `a`).
 *
 * It looks at quotes, brackets and colons only, so the text need not be JSON: whatever else is wrong is for the parser to
 * say. Memory is taken for one key of each object that is open and its siblings.
 *
 * @param json - the text
 * @param largestDepth - of objects and lists in one another; beyond, the text is not looked at any further
 */
export function findJsonFlaw(json: string, largestDepth: number): JsonFlaw | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each object around, undefined for a list
  for (let at = 0; at < json.length; at++) {
    const sign = json[at];
    if (sign === "{" || sign === "[") {
      open.push(sign === "{" ? new Set() : undefined);
      if (open.length > largestDepth) return { kind: "too deep", depth: largestDepth };
    } else if (sign === "}" || sign === "]") open.pop();
    else if (sign === '"') {
      const end = endOfString(json, at);
      const keys = open.at(-1);
      if (keys !== undefined && isBeforeColon(json, end)) {
        const key = parsedString(json.slice(at, end));
        if (key === undefined) return undefined; // no JSON
        if (keys.has(key)) return { kind: "repeated key", key };
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The place behind the quote that ends the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === "\\") at++;
    else if (json[at] === '"') return at + 1;
  }
  return json.length;
}

function isBeforeColon(json: string, from: number): boolean {
  let at = from;
  while (/\s/.test(json[at] ?? "")) at++;
  return json[at] === ":";
}

function parsedString(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
