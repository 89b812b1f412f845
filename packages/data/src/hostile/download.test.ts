import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { DataErrorCode } from "../data-error.ts";
import { type DatasetSource, downloadDataset, type RemoteFile } from "../download.ts";
import { writeIdx } from "../idx.ts";

const honest = writeIdx({ shape: [100], data: new Uint8Array(100) });
const packed = gzipSync(honest);
const file: RemoteFile = {
  name: "train-labels-idx1-ubyte.gz",
  contentBytes: honest.length,
  checksum: { algorithm: "sha256", of: "content", hex: createHash("sha256").update(honest).digest("hex") },
};
const source: DatasetSource = {
  name: "small",
  mirrors: [],
  classes: ["a"],
  trainImages: file,
  trainLabels: file,
  testImages: file,
  testLabels: file,
};

let cacheFolder: string;
let servers: Server[];
beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "milliner-cache-"));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(cacheFolder, { recursive: true, force: true });
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Sends bytes for as long as somebody listens. */
function flood(response: ServerResponse, piece: Uint8Array, pauseMilliseconds: number): void {
  const timer = setInterval(() => response.write(piece), pauseMilliseconds);
  response.on("close", () => clearInterval(timer));
}

/**
 * Only who waits for a limit gets a short one: all others must fail for what they are, however slow the
 * machine.
 */
interface Patience {
  readonly idleSeconds?: number;
  readonly totalSeconds?: number;
}

const lies: readonly (readonly [
  lie: string,
  listener: RequestListener,
  code: DataErrorCode,
  message: RegExp,
  patience?: Patience,
])[] = [
  ["not found", (_, response) => response.writeHead(404).end(), "DOWNLOAD_FAILED", /HTTP status 404/],
  [
    "a failing server",
    (_, response) => response.writeHead(500).end(packed),
    "DOWNLOAD_INTERRUPTED",
    /HTTP status 500/,
  ],
  [
    "part of a file",
    (_, response) => response.writeHead(206).end(packed),
    "DOWNLOAD_FAILED",
    /HTTP status 206/,
  ],
  [
    "a page of a hotel",
    (_, response) => response.end("<html>Welcome"),
    "CHECKSUM_MISMATCH",
    /cannot be unpacked/,
  ],
  ["nothing", (_, response) => response.end(), "CHECKSUM_MISMATCH", /cannot be unpacked/],
  [
    "another file",
    (_, response) => response.end(gzipSync(honest.with(50, 1))),
    "CHECKSUM_MISMATCH",
    /sha256 of its content is [0-9a-f]{64}, not [0-9a-f]{64}/,
  ],
  [
    "a shorter file",
    (_, response) => response.end(gzipSync(honest.subarray(0, 50))),
    "CHECKSUM_MISMATCH",
    /unpacks to 50 bytes, not 108/,
  ],
  [
    "a bomb",
    (_, response) => response.end(gzipSync(new Uint8Array(2 ** 20))),
    "CHECKSUM_MISMATCH",
    /cannot be unpacked/,
  ],
  [
    "a file that claims to be huge",
    (_, response) => response.writeHead(200, { "content-length": String(2 ** 40) }).write("x"),
    "TOO_LARGE",
    /1099511627776 bytes where at most 1133/,
  ],
  [
    "a file without an end",
    (_, response) => flood(response, new Uint8Array(500), 0),
    "TOO_LARGE",
    /or more bytes/,
  ],
  [
    "a body cut short",
    (_, response) => {
      response.writeHead(200, { "content-length": String(packed.length) });
      response.write(packed.subarray(0, 20), () => response.destroy());
    },
    "DOWNLOAD_INTERRUPTED",
    /127\.0\.0\.1:\d+\/train-labels-idx1-ubyte\.gz: /,
  ],
  [
    "a chunked body cut short",
    (_, response) => {
      response.write(packed.subarray(0, 20), () => response.destroy());
    },
    "DOWNLOAD_INTERRUPTED",
    /train-labels-idx1-ubyte\.gz: /,
  ],
  [
    "a hang-up",
    (request) => request.socket.destroy(),
    "DOWNLOAD_INTERRUPTED",
    /train-labels-idx1-ubyte\.gz: /,
  ],
  [
    "no answer",
    () => undefined, // the connection stays open and nothing comes
    "DOWNLOAD_INTERRUPTED",
    /no data for 0\.05 s/,
    { idleSeconds: 0.05 },
  ],
  [
    "an answer that stops",
    (_, response) => response.writeHead(200, { "content-length": "60" }).write("x"),
    "DOWNLOAD_INTERRUPTED",
    /no data for 0\.05 s/,
    { idleSeconds: 0.05 },
  ],
  [
    "an answer that drips",
    (_, response) => flood(response, new Uint8Array(1), 5),
    "DOWNLOAD_INTERRUPTED",
    /not finished after 0\.3 s/,
    { totalSeconds: 0.3 },
  ],
  [
    "a redirect to itself",
    (request, response) => response.writeHead(302, { location: request.url ?? "" }).end(),
    "DOWNLOAD_FAILED",
    /more than 5 redirects/,
  ],
  [
    "a redirect to nowhere",
    (_, response) => response.writeHead(301).end(),
    "DOWNLOAD_FAILED",
    /HTTP status 301/,
  ],
  [
    "a redirect to a file of this machine",
    (_, response) => response.writeHead(302, { location: "file:///etc/hostname" }).end(),
    "DOWNLOAD_FAILED",
    /refused a redirect to "file:/,
  ],
  [
    "a redirect to what is no address",
    (_, response) => response.writeHead(302, { location: "http://[" }).end(),
    "DOWNLOAD_FAILED",
    /refused a redirect/,
  ],
];

const cases = lies.map(([lie, listener, code, message, patience]) => ({
  lie,
  listener,
  code,
  message,
  patience,
}));

test.each(cases)(
  "$lie: one clear error, and no file in the cache",
  async ({ listener, code, message, patience }) => {
    const mirror = await listen(listener);

    const rejection = downloadDataset(source, {
      cacheFolder,
      mirrors: [mirror],
      ...patience,
    });

    await expect(rejection).rejects.toMatchObject({
      name: "DataError",
      code,
      message: expect.stringMatching(message),
      cause: expect.anything(),
    });
    await expect(rejection).rejects.toThrow(/^train-labels-idx1-ubyte\.gz of small could not be downloaded /);
    await expect(rejection).rejects.toThrow(join(cacheFolder, "small"));
    expect(await readdir(cacheFolder)).toEqual([]);
  },
);

test("a port that nobody listens on: the error names address and reason", async () => {
  const mirror = await listen(() => undefined);
  await new Promise((resolve) => {
    servers[0]!.close(resolve);
  });

  await expect(downloadDataset(source, { cacheFolder, mirrors: [mirror] })).rejects.toMatchObject({
    code: "DOWNLOAD_INTERRUPTED",
    message: expect.stringMatching(/127\.0\.0\.1:\d+.*ECONNREFUSED/),
  });
});

test("several addresses that fail in different ways are all in the message", async () => {
  const mirror = await listen((request, response) => {
    if (request.url?.startsWith("/a/") === true) response.writeHead(404).end();
    else response.end("no gzip");
  });

  await expect(
    downloadDataset(source, { cacheFolder, mirrors: [`${mirror}a/`, `${mirror}b/`] }),
  ).rejects.toMatchObject({
    code: "DOWNLOAD_FAILED",
    message: expect.stringMatching(/HTTP status 404; .*is not the published/),
    cause: expect.any(AggregateError),
  });
});

test("of several addresses one that may answer later decides", async () => {
  const mirror = await listen((request, response) => {
    if (request.url?.startsWith("/a/") === true) response.writeHead(404).end();
    else response.writeHead(503).end();
  });

  await expect(
    downloadDataset(source, { cacheFolder, mirrors: [`${mirror}a/`, `${mirror}b/`] }),
  ).rejects.toMatchObject({ code: "DOWNLOAD_INTERRUPTED" });
});

test("a file whose own sum was published has to have it, whatever its content", async () => {
  const hex = createHash("md5").update(packed).digest("hex");
  const summed: RemoteFile = { ...file, checksum: { algorithm: "md5", of: "file", hex } };
  const mirror = await listen((_, response) => response.end(packed.with(4, 77))); // the time in the gzip header

  await expect(
    downloadDataset({ ...source, trainLabels: summed }, { cacheFolder, mirrors: [mirror] }),
  ).rejects.toMatchObject({
    code: "CHECKSUM_MISMATCH",
    message: expect.stringMatching(new RegExp(`md5 of its bytes is [0-9a-f]{32}, not ${hex}`)),
  });
});

test("without any address the error says so", async () => {
  await expect(downloadDataset(source, { cacheFolder, mirrors: [] })).rejects.toMatchObject({
    code: "DOWNLOAD_FAILED",
    message: expect.stringMatching(/no address was given/),
  });
});
