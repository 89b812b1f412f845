import { createHash } from "node:crypto";
import { largestPieceBytes, parameterSpecs, type Network, type Parameters } from "@milliner/core";
import { littleEndianBytes } from "./little-endian.ts";

/**
 * SHA-256 over what a network has learned, as 64 hexadecimal digits: for each parameter in the order of
 * `parameterSpecs` its name and shape, as the line `NAME [d0,d1,...]` ended by a line feed, then its float32 elements
 * least significant byte first, in core's order ([out, kernelHeight, kernelWidth, in] for a convolution).
 *
 * @throws TypeError when a parameter is missing or disposed
 */
export function parameterHash(network: Network, parameters: Parameters): string {
  const hash = createHash("sha256");
  for (const { name, shape } of parameterSpecs(network)) {
    hash.update(`${name} [${shape.join(",")}]\n`);
    const { data } = parameters.get(name)!;
    const atOnce = largestPieceBytes / data.BYTES_PER_ELEMENT;
    for (let at = 0; at < data.length; at += atOnce)
      hash.update(littleEndianBytes(data.subarray(at, at + atOnce)));
  }
  return hash.digest("hex");
}
