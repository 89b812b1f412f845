export { learnerConformance, type LearnerClaim, type LearnerSubject } from "./learner-conformance.ts";
export { syntheticDataset, syntheticScenario, type SyntheticOptions } from "./synthetic-scenario.ts";
export { testContext, type TestContext, type TestContextOptions } from "./test-context.ts";
