import { parseArgs, types } from "node:util";

type Options = Readonly<Record<string, { readonly type: "boolean" } | { readonly type: "string" }>>;
type Values<T extends Options> = {
  readonly [name in keyof T]: T[name] extends { readonly type: "boolean" } ? boolean : string | undefined;
};

/** A benchmark as a command: what it says goes to stderr, since stdout is for its results. */
export class Command {
  readonly #name: string;

  /** @param name - as npm knows it: `bench:step` */
  constructor(name: string) {
    this.#name = name;
  }

  /** The flags that were given. Ends the process with a sentence when there are others. */
  flags<const T extends Options>(options: T): Values<T> {
    try {
      const { values } = parseArgs({ options });
      const switches = Object.entries(options).map(([name, { type }]) => [
        name,
        (values as Record<string, unknown>)[name] ?? (type === "boolean" ? false : undefined),
      ]);
      return Object.fromEntries(switches) as Values<T>;
    } catch (error) {
      const [sentence] = (types.isNativeError(error) ? error.message : String(error)).split(". ");
      const known = Object.entries(options).map(([name, { type }]) =>
        type === "boolean" ? `--${name}` : `--${name} ${name.toUpperCase()}`,
      );
      return this.refuse(`${sentence}; take ${known.join(", ")}`);
    }
  }

  /** The whole number of a flag. */
  count(name: string, text: string | undefined, otherwise: number): number {
    const value = Number(text ?? otherwise);
    if (Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000) return value;
    return this.refuse(`--${name} takes a whole number from 1 to 1000000, not "${text}"`);
  }

  /** The numbers of threads to measure with: those that were asked for, else one, and two where there are two cores. */
  threads(text: string | undefined, cores: number): readonly number[] {
    if (text !== undefined) return text.split(",").map((part) => this.count("threads", part, 1));
    return cores > 1 ? [1, 2] : [1];
  }

  /** Says something beside the results. */
  note(text: string): void {
    process.stderr.write(`${this.#name}: ${text}\n`);
  }

  /** Ends the process because something is wrong that no measurement may hide. */
  fail(sentence: string): never {
    this.note(`${sentence}.`);
    process.exit(1);
  }

  /** Ends the process because of what it was asked for, or of what is not here. */
  refuse(sentence: string): never {
    this.note(`${sentence}.`);
    process.exit(2);
  }
}
