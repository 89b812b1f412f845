/**
 * How far one learner is, and how long it will take at most: a task may end before its last epoch. The pace is that since the
 * first figure, so that a run that was resumed does not seem to have been infinitely fast.
 */
export class TimeLeft {
  readonly #tasks: number;
  readonly #clock: () => number;
  #first: { readonly fraction: number; readonly seconds: number } | null = null;
  #fraction = 0;

  constructor(tasks: number, clock: () => number) {
    this.#tasks = tasks;
    this.#clock = clock;
  }

  /** @returns the share of the whole that is done, 0..1 */
  note(task: number, epoch: number, epochs: number, fraction: number): number {
    this.#fraction = (task + (epoch + fraction) / epochs) / this.#tasks;
    this.#first ??= { fraction: this.#fraction, seconds: this.#clock() };
    return this.#fraction;
  }

  /** Seconds left, or null while too little is known to say. */
  seconds(): number | null {
    if (this.#first === null) return null;
    const done = this.#fraction - this.#first.fraction;
    const passed = this.#clock() - this.#first.seconds;
    return done <= 0 || passed < 2 ? null : (passed / done) * (1 - this.#fraction);
  }
}
