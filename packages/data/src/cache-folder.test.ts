import { expect, test } from "vitest";

import { defaultCacheFolder } from "./cache-folder.ts";

test("XDG_CACHE_HOME decides, else the home folder", () => {
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "/caches", HOME: "/home/ada" })).toBe("/caches/milliner");
  expect(defaultCacheFolder({ HOME: "/home/ada" })).toBe("/home/ada/.cache/milliner");
});

test("a relative XDG_CACHE_HOME is ignored, as its specification says", () => {
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "caches", HOME: "/home/ada" })).toBe(
    "/home/ada/.cache/milliner",
  );
});

test("without a home folder the error says what to set", () => {
  expect(() => defaultCacheFolder({ HOME: "" })).toThrowError(
    expect.objectContaining({ code: "BAD_OPTION", message: expect.stringMatching(/set XDG_CACHE_HOME/) }),
  );
});
