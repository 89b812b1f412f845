export { JointLearner, type JointOptions } from "./joint.ts";
export { RandomBodyLearner } from "./random-body.ts";
export { SgdFrozenLearner } from "./sgd-frozen.ts";
export { SgdLearner } from "./sgd.ts";
