import { describe, expect, test } from "vitest";
import { CheckpointError } from "@milliner/core";
import { StoredJson } from "./stored-json.ts";

const from = (text: string): StoredJson => new StoredJson(JSON.parse(text), "a.json");

test.each(["null", "7", '"text"', "true", "[]"])(
  "%s is not an object, and says so with its place",
  (text) => {
    expect(() => from(text)).toThrow(
      expect.objectContaining({
        code: "BAD_VALUE",
        message: expect.stringContaining("a.json is not a JSON object"),
      }),
    );
  },
);

test("fields come back narrowed", () => {
  const file = from('{"n":3,"x":-0.5,"s":"a","b":false,"o":{"deep":1},"l":[1,2],"none":null,"half":0.5}');

  expect(file.keys).toEqual(["n", "x", "s", "b", "o", "l", "none", "half"]);
  expect([file.whole("n"), file.number("x"), file.share("half")]).toEqual([3, -0.5, 0.5]);
  expect([file.string("s"), file.boolean("b"), file.object("o").whole("deep")]).toEqual(["a", false, 1]);
  expect(file.list("l", (entry) => entry.whole("value"))).toEqual([1, 2]);
  expect(file.nullable("none", (key) => file.whole(key))).toBe(null);
  expect(file.nullable("n", (key) => file.whole(key))).toBe(3);
});

test("names that every object inherits are there only when the file has them", () => {
  expect(() => from("{}").value("constructor")).toThrow('a.json has no "constructor"');
  expect(() => from("{}").value("__proto__")).toThrow('a.json has no "__proto__"');
  expect(from('{"__proto__":1}').whole("__proto__")).toBe(1);
});

describe("a field that is something else is refused with place, name, what it should be and what it is:", () => {
  test.each<[keyof StoredJson & ("whole" | "number" | "share" | "string" | "boolean"), string, string]>([
    ["whole", "-1", "a whole number, not -1"],
    ["whole", "0.5", "a whole number, not 0.5"],
    ["whole", "9007199254740992", "a whole number, not 9007199254740992"],
    ["whole", '"1"', 'a whole number, not "1"'],
    ["number", "1e999", "a finite number, not Infinity"],
    ["number", "null", "a finite number, not null"],
    ["share", "1.0000000000000002", "from 0 to 1, not 1.0000000000000002"],
    ["share", "-1e-9", "from 0 to 1, not -1e-9"],
    ["share", "true", "a finite number, not true"],
    ["string", "[1,2,3]", "a text, not a list of 3"],
    ["boolean", '{"a":1}', "true or false, not an object"],
    ["boolean", "0", "true or false, not 0"],
  ])("%s of %s", (kind, text, message) => {
    expect(() => from(`{"f":${text}}`)[kind]("f")).toThrow(
      expect.objectContaining({ code: "BAD_VALUE", message: `"f" of a.json should be ${message}` }),
    );
  });

  test("a list, and the entry of one", () => {
    expect(() => from('{"f":{}}').list("f", () => 0)).toThrow(
      '"f" of a.json should be a list, not an object',
    );
    expect(() => from('{"f":[1,"a"]}').list("f", (entry) => entry.whole("value"))).toThrow(
      '"value" of "f[1]" of a.json should be a whole number, not "a"',
    );
  });

  test("however deep or long it is, and without what a terminal would obey", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    const long = JSON.stringify(`\u001b[2J${"x".repeat(1e6)}`);

    expect(() => from(`{"f":${deep}}`).whole("f")).toThrow(CheckpointError);
    expect(() => from(`{"f":${long}}`).whole("f")).toThrow(/not "\\u001b\[2Jx{36}"$/);
  });
});
