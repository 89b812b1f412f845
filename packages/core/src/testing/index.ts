export { conformanceCases } from "./conformance.ts";
export type { ConformanceCase } from "./conformance/case.ts";
export { checkGradient, type GradientCheckOptions, type GradientInput } from "./gradients.ts";
export { randomNetwork, type RandomNetworkOptions } from "./random-network.ts";
