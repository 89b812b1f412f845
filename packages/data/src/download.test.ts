import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { DataError } from "./data-error.ts";
import { downloadDataset, type DatasetSource, type DownloadProgress, type RemoteFile } from "./download.ts";
import { loadFolder } from "./folder.ts";
import { writeIdx } from "./idx.ts";

/**
 * A small data set as its publisher would have it: packed files with their sums, some of the file, some of
 * the content.
 */
const published = new Map<string, Uint8Array>();
function publish(name: string, shape: readonly number[], of: "file" | "content"): RemoteFile {
  const elements = shape.reduce((product, size) => product * size, 1);
  const array = { shape, data: Uint8Array.from({ length: elements }, (_, i) => i % 3) };
  const packed = writeIdx(array, { gzip: true });
  const content = writeIdx(array);
  published.set(`/${name}`, packed);
  const algorithm = of === "file" ? "md5" : "sha256";
  const hex = createHash(algorithm)
    .update(of === "file" ? packed : content)
    .digest("hex");
  return { name, contentBytes: content.length, checksum: { algorithm, of, hex } };
}
const source: DatasetSource = {
  name: "small",
  mirrors: [],
  classes: ["a", "b", "c"],
  trainImages: publish("train-images-idx3-ubyte.gz", [30, 4, 4], "content"),
  trainLabels: publish("train-labels-idx1-ubyte.gz", [30], "file"),
  testImages: publish("t10k-images-idx3-ubyte.gz", [9, 4, 4], "file"),
  testLabels: publish("t10k-labels-idx1-ubyte.gz", [9], "content"),
};
const fileNames = [...published.keys()].map((path) => path.slice(1)).toSorted();

const serve: RequestListener = (request, response) => {
  const body = published.get(request.url ?? "");
  if (body === undefined) response.writeHead(404).end("not here");
  else response.end(body);
};

let cacheFolder: string;
let servers: Server[];
let requests: string[];
beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "milliner-cache-"));
  servers = [];
  requests = [];
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(cacheFolder, { recursive: true, force: true });
});

/** Starts a server on this machine and returns its address. */
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const cached = (): Promise<string[]> => readdir(join(cacheFolder, "small")).catch(() => []);

test("what is not in the cache is downloaded into it, and then the network is not needed", async () => {
  const mirrors = [await listen(serve)];

  const first = await downloadDataset(source, { cacheFolder, mirrors });
  const second = await downloadDataset(source, { cacheFolder, mirrors: [], offline: true });

  expect(first).toMatchObject({ name: "small", classes: ["a", "b", "c"] });
  expect(first.train).toMatchObject({ shape: [4, 4, 1] });
  expect(first.train.labels).toHaveLength(30);
  expect(first.test.labels).toHaveLength(9);
  expect(second).toEqual(first);
  expect((await cached()).toSorted()).toEqual(fileNames);
  expect(requests).toHaveLength(4);
});

test("the cache holds the bytes as published, and its folder is a data set like any other", async () => {
  const downloaded = await downloadDataset(source, { cacheFolder, mirrors: [await listen(serve)] });

  for (const name of fileNames) {
    expect(new Uint8Array(await readFile(join(cacheFolder, "small", name)))).toEqual(
      published.get(`/${name}`),
    );
  }
  expect((await loadFolder(join(cacheFolder, "small"))).train.images).toEqual(downloaded.train.images);
});

test("only what is missing or damaged in the cache is downloaded again", async () => {
  const mirrors = [await listen(serve)];
  const first = await downloadDataset(source, { cacheFolder, mirrors });
  requests.length = 0;
  await rm(join(cacheFolder, "small", source.trainLabels.name));
  await writeFile(join(cacheFolder, "small", source.testImages.name), "damaged");
  await writeFile(join(cacheFolder, "small", source.trainImages.name), new Uint8Array(100_000));

  const second = await downloadDataset(source, { cacheFolder, mirrors });

  expect(second).toEqual(first);
  expect(requests.toSorted()).toEqual(
    [source.testImages, source.trainImages, source.trainLabels].map((file) => `/${file.name}`).toSorted(),
  );
});

test("files that somebody packed anew are taken where the published sum is of the content", async () => {
  const mirrors = [await listen(serve)];
  await downloadDataset(source, { cacheFolder, mirrors });
  requests.length = 0;
  const path = join(cacheFolder, "small", source.trainImages.name);
  const repacked = (await readFile(path)).with(4, 77); // the time in the gzip header

  await writeFile(path, repacked);
  await downloadDataset(source, { cacheFolder, mirrors });

  expect(requests).toEqual([]);
});

test("the next address is asked when one fails", async () => {
  const gone = await listen((_, response) => response.writeHead(503).end());
  const false_ = await listen((_, response) =>
    response.end(writeIdx({ shape: [1], data: new Uint8Array(1) })),
  );
  const good = await listen(serve);

  const { train } = await downloadDataset(source, { cacheFolder, mirrors: [gone, false_, good] });

  expect(train.labels).toHaveLength(30);
  expect((await cached()).toSorted()).toEqual(fileNames);
});

test("redirects are followed, relative and to another host", async () => {
  const good = await listen(serve);
  const moved = await listen((request, response) => {
    const url = request.url ?? "";
    const location = url.startsWith("/old") ? url.slice("/old".length) : `${good.slice(0, -1)}${url}`;
    response.writeHead(302, { location }).end("moved");
  });

  const { train } = await downloadDataset(source, { cacheFolder, mirrors: [`${moved}old/`] });

  expect(train.labels).toHaveLength(30);
});

test("an address works with and without a slash at its end", async () => {
  const address = await listen(serve);

  await downloadDataset(source, { cacheFolder, mirrors: [address.slice(0, -1)] });

  expect(requests).toContain(`/${source.trainImages.name}`);
});

test("progress counts up to the announced size of each file", async () => {
  const seen: DownloadProgress[] = [];

  await downloadDataset(source, {
    cacheFolder,
    mirrors: [
      await listen((request, response) => {
        response.setHeader("content-length", published.get(request.url ?? "")?.length ?? 0);
        serve(request, response);
      }),
    ],
    onProgress: (progress) => seen.push(progress),
  });

  for (const name of fileNames) {
    const last = seen.findLast((progress) => progress.file === name);
    expect(last).toMatchObject({ dataset: "small", receivedBytes: published.get(`/${name}`)?.length });
    expect(last?.totalBytes).toBe(last?.receivedBytes);
  }
});

test("offline, one error names every missing file, the folder and where they come from", async () => {
  await downloadDataset(source, { cacheFolder, mirrors: [await listen(serve)] });
  await rm(join(cacheFolder, "small", source.trainImages.name));
  await rm(join(cacheFolder, "small", source.testLabels.name));
  requests.length = 0;

  const error: unknown = await downloadDataset(
    { ...source, mirrors: ["https://data.example/small/"] },
    { cacheFolder, offline: true },
  ).catch((reason: unknown) => reason);

  expect(error).toMatchObject({ name: "DataError", code: "OFFLINE" });
  for (const part of [
    source.trainImages.name,
    source.testLabels.name,
    join(cacheFolder, "small"),
    "https://data.example/small/",
  ]) {
    expect(String(error)).toContain(part);
  }
  expect(String(error)).not.toContain(source.trainLabels.name);
  expect(requests).toEqual([]);
});

test("offline, a damaged file is named and left where it is", async () => {
  await downloadDataset(source, { cacheFolder, mirrors: [await listen(serve)] });
  const path = join(cacheFolder, "small", source.trainLabels.name);
  await writeFile(path, "damaged");

  await expect(downloadDataset(source, { cacheFolder, offline: true })).rejects.toMatchObject({
    code: "CHECKSUM_MISMATCH",
    message: expect.stringContaining(path),
  });
  expect(await readFile(path, "utf8")).toBe("damaged");
});

test("an aborted download rejects with the signal's reason and leaves no file", async () => {
  const controller = new AbortController();
  const reason = new DataError("OFFLINE", "stopped by hand"); // not taken for a failure of the address
  const address = await listen((_, response) => {
    response.writeHead(200, { "content-length": "500" });
    response.write(new Uint8Array(10));
  });

  await expect(
    downloadDataset(source, {
      cacheFolder,
      mirrors: [address],
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    }),
  ).rejects.toBe(reason);
  expect(await cached()).toEqual([]);
  expect(requests).toHaveLength(1);
});

test("options outside their range are refused before anything happens", async () => {
  const wrong = [
    { idleSeconds: 0 },
    { totalSeconds: Number.NaN },
    { mirrors: ["ftp://data.example/"] },
    { mirrors: ["data.example"] },
    { ofline: true }, // would go to the network
    { offline: "no" as never }, // would not
  ];

  for (const options of wrong) {
    await expect(downloadDataset(source, { cacheFolder, ...options })).rejects.toMatchObject({
      name: "DataError",
      code: "BAD_OPTION",
    });
  }
});

test("a cache that cannot be written is an error that names the file", async () => {
  await writeFile(join(cacheFolder, "small"), "a file where the folder should be");

  await expect(
    downloadDataset(source, { cacheFolder, mirrors: [await listen(serve)] }),
  ).rejects.toMatchObject({
    name: "DataError",
    code: "WRITE_FAILED",
    message: expect.stringContaining(join(cacheFolder, "small")),
  });
});
