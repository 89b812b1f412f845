import { ConfigError } from "../errors.ts";
import { checkNumber } from "../number-range.ts";

/** @throws ConfigError (`BAD_LR`) when `lr` is not a positive float32 */
export function checkLr(lr: number): void {
  checkNumber("lr", lr, { above: 0 }, "BAD_LR");
}

/** @throws ConfigError (`BAD_WEIGHT_DECAY`) when `weightDecay` is not a float32 from 0 up */
export function checkWeightDecay(weightDecay: number): void {
  checkNumber("weightDecay", weightDecay, { from: 0 }, "BAD_WEIGHT_DECAY");
}

/** @throws ConfigError (`BAD_MOMENTUM`) when `momentum` is not a float32 from 0 up */
export function checkMomentum(momentum: number): void {
  checkNumber("momentum", momentum, { from: 0 }, "BAD_MOMENTUM");
}

/** @throws ConfigError (`BAD_BETAS`) when a beta is not a float32 in [0, 1) */
export function checkBetas(betas: readonly [number, number]): void {
  if (betas.length !== 2)
    throw new ConfigError("BAD_BETAS", `betas must be two numbers, not [${String(betas)}]`);
  betas.forEach((beta, i) => checkNumber(`betas[${i}]`, beta, { from: 0, below: 1 }, "BAD_BETAS"));
}

/** @throws ConfigError (`BAD_EPS`) when `eps` is not a positive float32; 1e-8 is usual */
export function checkEps(eps: number): void {
  checkNumber("eps", eps, { above: 0 }, "BAD_EPS");
}
