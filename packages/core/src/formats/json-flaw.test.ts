import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { findJsonFlaw } from "./json-flaw.ts";

type Value =
  | string
  | number
  | null
  | readonly Value[]
  | { readonly entries: readonly (readonly [string, Value])[] };

const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<Value>("", "a:", '"a":', "}{", "\\", "\n", 0, null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", '"', "\\", "a:", "é", "__proto__", ""), tie("value")), {
        maxLength: 3,
      })
      .map((entries) => ({ entries })),
  ),
}));

/** Every string is spelled as JSON.stringify does, or all in escapes. */
function spelled(text: string, inEscapes: boolean): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return inEscapes ? `"${text.replaceAll(/[\s\S]/g, escaped)}"` : JSON.stringify(text);
}

function asJson(value: Value, space: string, spellings: fc.Stream<boolean>): string {
  const text = (one: string): string => spelled(one, spellings.next().value as boolean);
  const write = (one: Value): string => {
    if (typeof one === "string") return text(one);
    if (typeof one === "number" || one === null) return String(one);
    if (Array.isArray(one)) return `[${(one as readonly Value[]).map(write).join(`${space},`)}]`;
    const { entries } = one as { entries: readonly (readonly [string, Value])[] };
    return `{${entries.map(([key, of]) => `${text(key)}${space}:${space}${write(of)}`).join(",")}}`;
  };
  return write(value);
}

function repeats(value: Value): boolean {
  if (value === null || typeof value !== "object") return false;
  if (Array.isArray(value)) return (value as readonly Value[]).some(repeats);
  const { entries } = value as { entries: readonly (readonly [string, Value])[] };
  return new Set(entries.map(([key]) => key)).size < entries.length || entries.some(([, of]) => repeats(of));
}

test("a key is found repeated exactly where an object has it twice, however it is spelled and whatever texts look like", () => {
  let found = 0;
  fc.assert(
    fc.property(
      anyValue,
      fc.constantFrom("", " ", "\n\t"),
      fc.infiniteStream(fc.boolean()),
      (value, space, spellings) => {
        const json = asJson(value, space, spellings);
        expect(() => JSON.parse(json)).not.toThrow();

        const flaw = findJsonFlaw(json, 100);

        expect(flaw?.kind).toBe(repeats(value) ? "repeated key" : undefined);
        if (flaw !== undefined) found++;
      },
    ),
    { numRuns: 1000 * inject("soak") },
  );
  expect(found).toBeGreaterThan(10);
});

test("names the key as it reads", () => {
  expect(findJsonFlaw(`[{"a":1},{"b":{"a":1,"\\u0061":2}}]`, 9)).toEqual({ kind: "repeated key", key: "a" });
});

test("objects and lists are followed down to the depth that is asked for, and no further", () => {
  expect(findJsonFlaw(`[{"a":[]}]`, 3)).toBeUndefined();
  expect(findJsonFlaw(`[{"a":[]}]`, 2)).toEqual({ kind: "too deep", depth: 2 });
  expect(findJsonFlaw(`{"text":"[[[[[[{{{{{{"}`, 2)).toBeUndefined();
});

test("what is no JSON is nobody's business here: no text makes it throw", () => {
  const piece = fc.constantFrom("{", "}", "[", "]", ":", ",", '"', "\\", "\\u00", "a", " ");

  fc.assert(
    fc.property(fc.array(piece), (pieces) => void findJsonFlaw(pieces.join(""), 5)),
    { numRuns: 1000 * inject("soak") },
  );
});
