export { add, applyGate, dropout, multiply, relu, scale } from "./elementwise.ts";
export { conv2d, type Conv2dOptions } from "./conv2d.ts";
export { crossEntropy, mean, sum } from "./loss.ts";
export { exp, log, sigmoid, tanh } from "./functions.ts";
export { linear, type DropoutDraw, type LinearOptions } from "./linear.ts";
export { maxPool2d } from "./max-pool2d.ts";
export { concat, flatten, reshape } from "./shape.ts";
