export { checkGradient, type GradientCheckOptions, type GradientInput } from "./gradients.ts";
