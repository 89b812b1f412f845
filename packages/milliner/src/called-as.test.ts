import { expect, test } from "vitest";
import { calledAs } from "./called-as.ts";

test.each([
  ["", "milliner"],
  ["npm/11.6.2 node/v24.11.0 linux x64 workspaces/false", "npx milliner"],
  ["pnpm/10.0.0 npm/? node/v24.11.0 linux x64", "pnpm exec milliner"],
  ["yarn/1.22.22 npm/? node/v24.11.0 linux x64", "yarn milliner"],
  ["bun/1.3.0 npm/? node/v24.3.0 linux x64", "bunx milliner"],
  ["constructor/1", "milliner"],
])("a command that %j started is called %j", (userAgent, name) => {
  expect(calledAs(userAgent)).toBe(name);
});
