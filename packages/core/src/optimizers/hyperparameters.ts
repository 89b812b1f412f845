import { ConfigError } from "../errors.ts";

/** @throws ConfigError (`BAD_LR`) when `lr` is not a positive finite number */
export function checkLr(lr: number): void {
  if (!(lr > 0 && Number.isFinite(lr))) {
    throw new ConfigError("BAD_LR", `the learning rate must be a positive number, not ${lr}`);
  }
}

/** @throws ConfigError (`BAD_WEIGHT_DECAY`) when `weightDecay` is not a finite number from 0 up */
export function checkWeightDecay(weightDecay: number): void {
  if (!(weightDecay >= 0 && Number.isFinite(weightDecay))) {
    throw new ConfigError("BAD_WEIGHT_DECAY", `weightDecay must be a number from 0 up, not ${weightDecay}`);
  }
}

/** @throws ConfigError (`BAD_BETAS`) when a beta is not in [0, 1) */
export function checkBetas(betas: readonly [number, number]): void {
  if (betas.length !== 2 || !betas.every((beta) => beta >= 0 && beta < 1)) {
    throw new ConfigError(
      "BAD_BETAS",
      `betas must be two numbers from 0 up and below 1, not [${betas.join(", ")}]`,
    );
  }
}

/** @throws ConfigError (`BAD_EPS`) when `eps` is not a positive finite float32 */
export function checkEps(eps: number): void {
  if (!(eps >= 2 ** -126 && Number.isFinite(Math.fround(eps)))) {
    throw new ConfigError(
      "BAD_EPS",
      `eps must be a positive float32 of 2^-126 or more, not ${eps}; 1e-8 is usual`,
    );
  }
}
