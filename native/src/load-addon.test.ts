import { relative } from "node:path";
import { expect, test } from "vitest";
import { loadAddon } from "./load-addon.ts";

// Many tests skip where there is no addon, so that the others run on a machine without a compiler. Nobody asked for that
// here: without this test everything would be green on half of the product.
const isWithoutAddon = (process.env["MILLINER_TESTS_WITHOUT_ADDON"] ?? "") !== "";

test.skipIf(isWithoutAddon)(
  "the addon that setup built loads (MILLINER_TESTS_WITHOUT_ADDON=1 goes without it)",
  () => {
    expect(loadAddon()).toMatchObject({ addon: { abi: expect.any(Number) } });
  },
);

test.skipIf(isWithoutAddon)("a relative MILLINER_NATIVE is a path from the working folder", () => {
  const { path } = loadAddon({}) as { readonly path: string };
  const named = relative(process.cwd(), path);

  expect(loadAddon({ MILLINER_NATIVE: named })).toMatchObject({ path, addon: { abi: expect.any(Number) } });
  expect(loadAddon({ MILLINER_NATIVE: `${named}-not` })).toMatchObject({
    addon: null,
    reason: expect.stringContaining(`names ${path}-not, which does not exist`),
  });
});
