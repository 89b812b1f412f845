import { DataError } from "./data-error.ts";
import { errorCode, errorMessage } from "./thrown.ts";

export interface ReceiveOptions {
  /** The largest body to take memory for, in bytes. */
  readonly maxBytes: number;
  /** Longest wait for the next bytes, in seconds. */
  readonly idleSeconds: number;
  /** Longest duration of the whole, in seconds. */
  readonly totalSeconds: number;
  readonly signal?: AbortSignal | undefined;
  /** Called as bytes arrive; `totalBytes` is what the server announced, if it did. */
  readonly onBytes?: ((receivedBytes: number, totalBytes: number | undefined) => void) | undefined;
}

const maxRedirects = 5;

/**
 * Downloads one address into memory.
 *
 * Redirects are followed five times at most, over http and https only and never from https back to http. The
 * body is asked for as it is stored, without a further encoding.
 *
 * @param url - an http or https address
 * @returns the body; the caller owns it
 * @throws DataError `DOWNLOAD_INTERRUPTED` with the address and what happened where the network or the server
 *   failed, `DOWNLOAD_FAILED` where the address does not give the file; `TOO_LARGE`. When `signal` aborts,
 *   its reason.
 */
export async function receive(url: string, options: ReceiveOptions): Promise<Uint8Array> {
  const { signal, idleSeconds, totalSeconds } = options;
  signal?.throwIfAborted();
  const stop = new AbortController();
  const fail = (reason: string) => () =>
    stop.abort(new DataError("DOWNLOAD_INTERRUPTED", `${url}: ${reason}`));
  const total = setTimeout(fail(`not finished after ${totalSeconds} s`), milliseconds(totalSeconds));
  const idle = setTimeout(fail(`no data for ${idleSeconds} s`), milliseconds(idleSeconds));
  const cancel = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const response = await request(url, stop.signal, () => idle.refresh());
    return await readBody(url, response, options, () => idle.refresh());
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DataError) throw error;
    throw new DataError("DOWNLOAD_INTERRUPTED", `${url}: ${describe(error)}`, { cause: error });
  } finally {
    clearTimeout(total);
    clearTimeout(idle);
    signal?.removeEventListener("abort", cancel);
    stop.abort(); // whatever is left of the response, its connection goes
  }
}

async function request(url: string, signal: AbortSignal, onAnswer: () => void): Promise<Response> {
  let address = new URL(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await fetch(address.href, {
      redirect: "manual",
      headers: { "accept-encoding": "identity" },
      signal,
    });
    onAnswer();
    if (response.status === 200) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      const code = isPassing(response.status) ? "DOWNLOAD_INTERRUPTED" : "DOWNLOAD_FAILED";
      throw new DataError(code, `${url}: answered with HTTP status ${response.status}`);
    }
    const next = URL.canParse(location, address.href) ? new URL(location, address) : undefined;
    if (next === undefined || !(next.protocol === "https:" || next.protocol === address.protocol)) {
      throw new DataError(
        "DOWNLOAD_FAILED",
        `${url}: refused a redirect to ${JSON.stringify(location.slice(0, 200))}`,
      );
    }
    address = next;
  }
  throw new DataError("DOWNLOAD_FAILED", `${url}: more than ${maxRedirects} redirects`);
}

/** Whether a server says that it cannot now: 408 too slow, 429 too often, 5xx its own failure. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

async function readBody(
  url: string,
  response: Response,
  { maxBytes, onBytes }: ReceiveOptions,
  onAnswer: () => void,
): Promise<Uint8Array> {
  const announced = Number(response.headers.get("content-length") ?? Number.NaN);
  const totalBytes = Number.isSafeInteger(announced) ? announced : undefined;
  const tooLarge = (bytes: string) =>
    new DataError("TOO_LARGE", `${url}: sends ${bytes} bytes where at most ${maxBytes} were expected`);
  if (totalBytes !== undefined && totalBytes > maxBytes) throw tooLarge(String(totalBytes));

  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    onAnswer();
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(`${length} or more`);
    chunks.push(chunk);
    onBytes?.(length, totalBytes);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}

/** `fetch` says "fetch failed" and keeps what happened in the cause. */
function describe(error: unknown): string {
  const { cause, name } = Object(error) as { readonly cause?: unknown; readonly name?: unknown };
  if (cause !== undefined) return describe(cause);
  const told = [errorCode(error) ?? "", errorMessage(error)].filter((part) => part !== "");
  return told.join(": ") || String(name);
}

/** Timers take at most 2^31 - 1 ms and fire at once beyond. */
function milliseconds(seconds: number): number {
  return Math.min(seconds * 1000, 2 ** 31 - 1);
}
