import type { Split } from "./task.ts";

/**
 * `A[t][j]`: accuracy (0..1) on the test set of task j after learning task t. Above the diagonal stands the accuracy on tasks
 * that have not been learned, where the method can be asked for it, else null.
 */
export type AccuracyMatrix = readonly (readonly (number | null)[])[];

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function learned(matrix: AccuracyMatrix, after: number, task: number): number {
  const accuracy = matrix[after]?.[task];
  if (accuracy === undefined || accuracy === null) {
    throw new RangeError(`the accuracy on task ${task} after task ${after} is missing`);
  }
  return accuracy;
}

/**
 * ACC: mean over the tasks of the accuracy at the end.
 *
 *     ACC = (1/T) sum_j A[T-1][j]
 *
 * Source: Lopez-Paz and Ranzato 2017, equation 2.
 */
export function averageAccuracy(matrix: AccuracyMatrix): number {
  const last = matrix.length - 1;
  return mean(matrix.map((_, task) => learned(matrix, last, task)));
}

/**
 * BWT: how much learning later tasks has changed the accuracy on earlier ones; negative is forgetting.
 *
 *     BWT = 1/(T-1) sum_{j < T-1} (A[T-1][j] - A[j][j])
 *
 * Source: Lopez-Paz and Ranzato 2017, equation 3. Null for a single task.
 */
export function backwardTransfer(matrix: AccuracyMatrix): number | null {
  const last = matrix.length - 1;
  if (last < 1) return null;
  return mean(
    matrix.slice(0, last).map((_, task) => learned(matrix, last, task) - learned(matrix, task, task)),
  );
}

/**
 * FWT: how much better than at random initialisation a task is solved just before it is learned.
 *
 *     FWT = 1/(T-1) sum_{j >= 1} (A[j-1][j] - b[j])
 *
 * With a head per task this compares an untrained head on a trained body with an untrained head on an untrained one; both
 * are close to guessing, and so FWT is close to 0. Source: Lopez-Paz and Ranzato 2017, equation 4.
 *
 * @param initial - b: accuracy on each task before anything is learned, null where the method cannot be asked
 * @returns null for a single task, and where an accuracy is missing
 */
export function forwardTransfer(matrix: AccuracyMatrix, initial: readonly (number | null)[]): number | null {
  if (matrix.length < 2) return null;
  const gains: number[] = [];
  for (let task = 1; task < matrix.length; task++) {
    const before = matrix[task - 1]![task] ?? null;
    const start = initial[task] ?? null;
    if (before === null || start === null) return null;
    gains.push(before - start);
  }
  return mean(gains);
}

/**
 * Forgetting: how much has been lost since a task's best moment, which need not be the end of its own training.
 *
 *     F = 1/(T-1) sum_{j < T-1} (max_{j <= l < T-1} A[l][j] - A[T-1][j])
 *
 * What a task is guessed at before it is learned (l < j: the probe of FWT) is nothing that could be forgotten, so the maximum
 * begins at the row in which it was learned; the source takes it over all rows, where those before are not measured.
 *
 * Source: Chaudhry et al. 2018, section 3.2. Null for a single task.
 */
export function forgetting(matrix: AccuracyMatrix): number | null {
  const last = matrix.length - 1;
  if (last < 1) return null;
  const losses = matrix.slice(0, last).map((_, task) => {
    const earlier = matrix.slice(task, last).map((_, after) => learned(matrix, task + after, task));
    return Math.max(...earlier) - learned(matrix, last, task);
  });
  return mean(losses);
}

/**
 * Equation (6): the forgetting ratio of one task, 0 where the method is as good as joint training and -1 where it is as bad
 * as guessing.
 *
 *     rho = (A - A_R) / (A_J - A_R) - 1
 *
 * Source: Serrà et al. 2018, equation 6.
 *
 * @param accuracy - A: on task tau after task t
 * @param randomAccuracy - A_R: of labels drawn with the training frequencies, see {@link randomAccuracy}
 * @param jointAccuracy - A_J: on task tau of a net trained on the union of the tasks up to t
 * @returns null where joint training is as good as guessing: the ratio has no meaning there
 */
export function forgettingRatio(
  accuracy: number,
  randomAccuracy: number,
  jointAccuracy: number,
): number | null {
  const range = jointAccuracy - randomAccuracy;
  return range === 0 ? null : (accuracy - randomAccuracy) / range - 1;
}

/**
 * Equation (D): the mean of the forgetting ratios of the tasks learned so far, after each task.
 *
 *     rho^{<=t} = (1/t) sum_{tau <= t} rho^{tau <= t}
 *
 * Source: Serrà et al. 2018, section 3.
 *
 * @param matrix - of the method
 * @param random - A_R of each task
 * @param joint - the matrix of joint training on the same tasks
 * @returns one figure per row; null where one of its ratios is
 */
export function meanForgettingRatios(
  matrix: AccuracyMatrix,
  random: readonly number[],
  joint: AccuracyMatrix,
): readonly (number | null)[] {
  return matrix.map((_, after) => {
    const ratios: number[] = [];
    for (let task = 0; task <= after; task++) {
      const ratio = forgettingRatio(learned(matrix, after, task), random[task]!, learned(joint, after, task));
      if (ratio === null) return null;
      ratios.push(ratio);
    }
    return mean(ratios);
  });
}

/**
 * A_R: the accuracy to expect of labels that are drawn with the frequencies of the training set, without drawing.
 *
 *     A_R = sum_c p_train(c) p_test(c)
 */
export function randomAccuracy(train: Split, test: Split, classes: number): number {
  const shares = (split: Split): Float64Array => {
    const counts = new Float64Array(classes);
    for (const label of split.labels) counts[label]! += 1;
    return counts.map((count) => count / split.size);
  };
  const ofTest = shares(test);
  return shares(train).reduce((sum, share, label) => sum + share * ofTest[label]!, 0);
}
