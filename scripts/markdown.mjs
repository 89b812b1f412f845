// The parts of Markdown that checks read: code blocks with the comments that stand before them, links, headings.

/**
 * @typedef {object} CodeBlock
 * @property {string} language - the first word after the fence
 * @property {string} code
 * @property {number} line - where the fence opens, from 1
 * @property {Map<string, string>} directives - the comments `<!-- name: text -->` on the lines directly before it
 */

/**
 * The fenced code blocks of a page, in order.
 *
 * @param {string} text
 * @returns {CodeBlock[]}
 */
export function codeBlocks(text) {
  const lines = text.split("\n");
  const blocks = [];
  let directives = new Map();
  for (let index = 0; index < lines.length; index += 1) {
    const directive = /^\s*<!--\s*([\w-]+)(?::\s*(.*?))?\s*-->\s*$/.exec(lines[index]);
    const fence = /^(\s*)(`{3,}|~{3,})\s*(\S*)/.exec(lines[index]);
    if (directive) directives.set(directive[1], directive[2] ?? "");
    else if (fence) {
      const [, indent, mark, language] = fence;
      const start = index + 1;
      do index += 1;
      while (index < lines.length && lines[index].trim() !== mark);
      const code = lines
        .slice(start, index)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
      blocks.push({ language, code: code.join("\n"), line: start, directives });
      directives = new Map();
    } else if (lines[index].trim() !== "") directives = new Map();
  }
  return blocks;
}

/**
 * Targets of links and images that are no addresses, with their lines.
 *
 * @param {string} text
 * @returns {{ target: string, line: number }[]}
 */
export function relativeLinks(text) {
  const links = [];
  for (const [index, line] of withoutCode(text).split("\n").entries()) {
    const targets = [
      ...line.matchAll(/\]\(<([^>]+)>\)/g),
      ...line.matchAll(/\]\(([^()\s<]+(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)/g),
      ...line.matchAll(/^\[[^\]]+\]:\s*(\S+)/g),
      ...line.matchAll(/\s(?:src|href|srcset)="([^"]+)"/g),
    ];
    for (const [, target] of targets)
      if (!/^[a-z][a-z+.-]*:/i.test(target)) links.push({ target, line: index + 1 });
  }
  return links;
}

/**
 * The anchors that a page's headings make, as GitHub makes them.
 *
 * @param {string} text
 * @returns {Set<string>}
 */
export function headingAnchors(text) {
  const anchors = new Set();
  for (const [, heading] of withoutCode(text, { spans: false }).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  for (const [, id] of text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** The page with code blanked out, line for line. */
function withoutCode(text, { spans = true } = {}) {
  const blank = (found) => found.replace(/[^\n]/g, " ");
  const blocks = text.replace(/^(\s*)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\s*\2\s*$/gm, blank);
  return spans ? blocks.replace(/(`+)[^`\n]+\1/g, blank) : blocks;
}
