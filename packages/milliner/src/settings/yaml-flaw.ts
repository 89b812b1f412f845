import type { YAMLParseError } from "yaml";

/** What is wrong in a line of YAML and what to do, in our words: those of the parser speak to programmers, and of its functions. */
export function yamlFlaw({ code, pos }: YAMLParseError, text: string): string {
  switch (code) {
    case "MULTIPLE_DOCS":
      return 'a second document begins there; keep one of them, without the lines "---"';
    case "DUPLICATE_KEY":
      return `it gives ${/^[^\s:]*/.exec(text.slice(pos[0]))![0]} a second time; keep one of the two`;
    case "TAB_AS_INDENT":
      return "a tab indents it; indent with spaces";
    case "BAD_INDENT":
      return "it is indented as no line above it, or a bracket before it is open; line it up, or close that";
    case "MISSING_CHAR":
      return 'something is missing: the ":" behind a key, or what closes a bracket or a quote; add it';
    case "BAD_DQ_ESCAPE":
      return 'a "\\" means something else in double quotes; write the value in single ones';
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return 'there is a ":" too many, or one too few before it; write "key: value", and a value with a ":" in quotes';
    case "BAD_SCALAR_START":
    case "UNEXPECTED_TOKEN":
      return "a sign stands where it means something else; write the value in quotes";
    default:
      return "it cannot be read; write the value in quotes";
  }
}
