import { expect, test } from "vitest";
import { loadAddon } from "./load-addon.ts";

// Many tests skip where there is no addon, so that the others run on a machine without a compiler. Nobody asked for that
// here: without this test everything would be green on half of the product.
test.skipIf((process.env["MILLINER_TESTS_WITHOUT_ADDON"] ?? "") !== "")(
  "the addon that setup built loads (MILLINER_TESTS_WITHOUT_ADDON=1 goes without it)",
  () => {
    expect(loadAddon()).toMatchObject({ addon: { abi: expect.any(Number) } });
  },
);
