import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";

/** A program that answers each line of JSON with one: how peers in other languages take part in a measurement. */
export class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  #complaint = "";

  constructor(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(program, args, { env: { ...process.env, ...environment } });
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#complaint += chunk.toString()));
    // Reported by `ask`, which finds the stream of answers closed.
    this.#child.on("error", (error) => (this.#complaint += error.message));
    this.#child.stdin.on("error", () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /**
   * Sends one request and waits for its answer.
   * @throws Error with the last line of the program's own complaint when it has ended
   */
  async ask(request: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true)
      throw new Error(this.#complaint.trim().split("\n").at(-1) || "it ended without a word");
    return JSON.parse(value as string);
  }

  /** Lets the program end. */
  close(): void {
    this.#child.stdin.end();
  }
}
