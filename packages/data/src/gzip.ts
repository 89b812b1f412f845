import { constants, createGunzip } from "node:zlib";

import { DataError } from "./data-error.ts";
import { errorCode } from "./thrown.ts";

/**
 * Deflate's best: 258 bytes from a match of 2 bits, so no honest gzip file unpacks to more than 1,032 times
 * its size.
 */
const maxExpansion = 1032;

/** Whether bytes start as a gzip file does (RFC 1952, 2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * The most that a gzip file of this size can unpack to. What claims more is a lie, and can be told from one
 * before any memory is taken for it.
 */
export function gunzipCeiling(packedBytes: number): number {
  return packedBytes * maxExpansion;
}

/** What a gzip file of one member says of the size of its content in its last four bytes, modulo 2^32 (RFC 1952, 2.3.1). */
export function gzipContentBytes(packed: Uint8Array): number {
  return packed.length < 4
    ? 0
    : new DataView(packed.buffer, packed.byteOffset + packed.length - 4).getUint32(0, true);
}

/**
 * The most that an honest gzip file of this content takes: deflate stores what it cannot compress with 5
 * bytes for every 16 KiB or more; the rest is room for gzip's own header.
 */
export function maxPackedBytes(contentBytes: number): number {
  return contentBytes + Math.ceil(contentBytes / 1024) + 1024;
}

/**
 * Unpacks a gzip file whose size is known from elsewhere.
 *
 * The memory taken is `limit` bytes and no more, whatever the file would unpack to: a bomb is refused at its
 * first byte too many. Several members in a row are one file (RFC 1952, 2.2); zeros after the last member are
 * padding, as tapes and `gzip` have it, and anything else there is refused.
 *
 * @param packed - the whole gzip file
 * @param name - what messages call it
 * @param limit - the size that is expected, in bytes
 * @returns the content, at most `limit` bytes; it is shorter where the file holds less. The caller owns it.
 * @throws DataError `TRAILING_BYTES` when there is more content than `limit`, or something after the last
 *   member; `TRUNCATED` when the file breaks off; `BAD_GZIP` when it is damaged
 */
export async function gunzip(packed: Uint8Array, name: string, limit: number): Promise<Uint8Array> {
  const content = new Uint8Array(Math.min(limit, gunzipCeiling(packed.length)));
  let length = 0;
  const stream = createGunzip({ chunkSize: Math.min(Math.max(content.length, 64), 2 ** 20) });
  stream.end(packed);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (length + chunk.length > content.length) {
        throw new DataError(
          "TRAILING_BYTES",
          `${name} unpacks to more than the ${limit} bytes that it should hold: it is damaged or a decompression bomb.`,
        );
      }
      content.set(chunk, length);
      length += chunk.length;
    }
  } catch (error) {
    throw gzipError(error, name, length);
  }
  if (packed.subarray(stream.bytesWritten).some((byte) => byte !== 0)) {
    throw new DataError(
      "TRAILING_BYTES",
      `${name} has ${packed.length - stream.bytesWritten} bytes after the end of its gzip data; get the file again.`,
    );
  }
  return content.subarray(0, length);
}

/**
 * Unpacks the beginning of a gzip file, to see what it is before memory is taken for it.
 *
 * @param packed - a gzip file, or its beginning
 * @param name - what messages call it
 * @param count - bytes wanted
 * @returns the first `count` bytes of the content, fewer where there are fewer
 * @throws DataError `BAD_GZIP` when not even these can be unpacked
 */
export async function gunzipPrefix(packed: Uint8Array, name: string, count: number): Promise<Uint8Array> {
  const prefix = new Uint8Array(count);
  let length = 0;
  // Flushing in place of finishing: what is cut off after the prefix is no error here.
  const stream = createGunzip({ chunkSize: 64, finishFlush: constants.Z_SYNC_FLUSH });
  stream.end(packed);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      const part = chunk.subarray(0, count - length);
      prefix.set(part, length);
      length += part.length;
      if (length === count) break; // leaving the loop destroys the stream: the rest is never unpacked
    }
  } catch (error) {
    throw gzipError(error, name, length);
  }
  return prefix.subarray(0, length);
}

function gzipError(error: unknown, name: string, unpackedBytes: number): DataError {
  if (error instanceof DataError) return error;
  const isCutOff = errorCode(error) === "Z_BUF_ERROR";
  return isCutOff
    ? new DataError(
        "TRUNCATED",
        `${name} breaks off after ${unpackedBytes} unpacked bytes; get the file again.`,
        {
          cause: error,
        },
      )
    : new DataError(
        "BAD_GZIP",
        `${name} cannot be unpacked: its gzip data are damaged; get the file again.`,
        { cause: error },
      );
}
