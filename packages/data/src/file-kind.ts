/** Stable names; the words for people may improve. */
export type FileKindName =
  | "7z"
  | "arrow"
  | "bmp"
  | "bzip2"
  | "cifar"
  | "compress"
  | "csv"
  | "empty"
  | "gguf"
  | "gif"
  | "git-lfs"
  | "gzip"
  | "hdf5"
  | "idx"
  | "jpeg"
  | "json"
  | "lz4"
  | "lzip"
  | "lzma"
  | "mat"
  | "npy"
  | "npz"
  | "onnx"
  | "parquet"
  | "pdf"
  | "pickle"
  | "png"
  | "pnm"
  | "program"
  | "pytorch"
  | "rar"
  | "safetensors"
  | "server-error"
  | "sqlite"
  | "tar"
  | "text"
  | "tflite"
  | "tiff"
  | "web-page"
  | "webp"
  | "xml"
  | "xz"
  | "zip"
  | "zlib"
  | "zstd";

/** Those that hold one picture. */
export const imageKinds: ReadonlySet<FileKindName> = new Set([
  "png",
  "jpeg",
  "gif",
  "webp",
  "tiff",
  "pnm",
  "bmp",
]);

/** Those that lie beside every data set and say nothing about it; of gzip, what is packed is not known. */
export const companionKinds: ReadonlySet<FileKindName> = new Set([
  "text",
  "json",
  "xml",
  "web-page",
  "program",
  "pdf",
  "empty",
  "gzip",
]);

/** What a file is by its first bytes. */
export interface FileKind {
  readonly kind: FileKindName;
  /** As in "FILE is a zip archive". */
  readonly what: string;
  /** What to do about it, where that does not depend on what the file should have been. */
  readonly advice?: string;
}

/** How much of a file's beginning is looked at. */
export const fileKindBytes = 512;

interface Signature extends FileKind {
  /** The bytes, a character each. */
  readonly starts: string;
  /** Where they stand. Default 0. */
  readonly at?: number;
}

const unpack = "unpack it first";

const signatures: readonly Signature[] = [
  { kind: "gzip", what: "a gzip file", starts: "\x1f\x8b", advice: unpack },
  { kind: "bzip2", what: "a bzip2 file", starts: "1AY&SY", at: 4, advice: unpack },
  { kind: "xz", what: "an xz file", starts: "\xfd7zXZ\0", advice: unpack },
  { kind: "zstd", what: "a Zstandard file", starts: "\x28\xb5\x2f\xfd", advice: unpack },
  { kind: "lz4", what: "an LZ4 file", starts: "\x04\x22\x4d\x18", advice: unpack },
  { kind: "lzma", what: "an LZMA file", starts: "\x5d\0\0", advice: unpack },
  { kind: "lzip", what: "an lzip file", starts: "LZIP\x01", advice: unpack },
  { kind: "compress", what: "a file of Unix's compress (.Z)", starts: "\x1f\x9d", advice: unpack },
  { kind: "7z", what: "a 7z archive", starts: "7z\xbc\xaf\x27\x1c", advice: unpack },
  { kind: "rar", what: "a RAR archive", starts: "Rar!\x1a\x07", advice: unpack },
  { kind: "tar", what: "a tar archive", starts: "ustar", at: 257, advice: unpack },
  { kind: "png", what: "an image (PNG)", starts: "\x89PNG\r\n\x1a\n" },
  { kind: "jpeg", what: "an image (JPEG)", starts: "\xff\xd8\xff" },
  { kind: "gif", what: "an image (GIF)", starts: "GIF8" },
  { kind: "webp", what: "an image (WebP)", starts: "WEBP", at: 8 },
  { kind: "tiff", what: "an image (TIFF)", starts: "II*\0" },
  { kind: "tiff", what: "an image (TIFF)", starts: "MM\0*" },
  { kind: "pnm", what: "an image (PGM)", starts: "P5\n" },
  { kind: "pnm", what: "an image (PPM)", starts: "P6\n" },
  { kind: "npy", what: "a NumPy array (.npy)", starts: "\x93NUMPY" },
  { kind: "hdf5", what: "an HDF5 file (Keras, MATLAB 7.3)", starts: "\x89HDF\r\n\x1a\n" },
  { kind: "mat", what: "a MATLAB file", starts: "MATLAB 5.0" },
  { kind: "tflite", what: "a TensorFlow Lite model", starts: "TFL3", at: 4 },
  { kind: "gguf", what: "a GGUF model", starts: "GGUF" },
  { kind: "parquet", what: "a Parquet table", starts: "PAR1" },
  { kind: "arrow", what: "an Arrow table", starts: "ARROW1" },
  { kind: "sqlite", what: "an SQLite data base", starts: "SQLite format 3\0" },
  { kind: "pdf", what: "a PDF document", starts: "%PDF-" },
  { kind: "program", what: "a program", starts: "\x7fELF" },
  { kind: "text", what: "plain text (UTF-16)", starts: "\xff\xfe" },
  { kind: "text", what: "plain text (UTF-16)", starts: "\xfe\xff" },
];

/**
 * Says what a file is by its first bytes, for a message in place of "damaged". Downloads are often something else than
 * their name says: the pointer that stands for a large file in a repository, the page around a file, an archive.
 *
 * @param file - the whole file, or its beginning: no more than `fileKindBytes` bytes are looked at
 * @returns what it is, `undefined` for what nobody here knows
 */
export function recogniseFile(file: Uint8Array): FileKind | undefined {
  const start = file.subarray(0, fileKindBytes);
  if (start.length === 0) {
    return {
      kind: "empty",
      what: "an empty file (0 bytes)",
      advice: "it was never written or fetched; get it again",
    };
  }
  return (
    signatures.find(({ starts, at }) => holds(start, starts, at)) ??
    recogniseSkippable(start) ??
    recogniseBitmap(start) ??
    recogniseZip(start) ??
    recognisePickle(start) ??
    recogniseTensors(start) ??
    recogniseText(start) ??
    recogniseZlib(start)
  );
}

/** Of 16 kinds, which both formats have; parallel compressors begin with one. */
function recogniseSkippable(start: Uint8Array): FileKind | undefined {
  return start[0]! >> 4 === 5 && holds(start, "\x2a\x4d\x18", 1)
    ? { kind: "zstd", what: "a Zstandard or LZ4 file", advice: unpack }
    : undefined;
}

/** Two bytes are few to go by, and nothing else is known to begin so: deflate with a window of 32 KiB, no text. */
function recogniseZlib([first, second]: Uint8Array): FileKind | undefined {
  return first === 0x78 && [0x01, 0x5e, 0x9c, 0xda].includes(second!)
    ? { kind: "zlib", what: "a zlib stream", advice: unpack }
    : undefined;
}

function holds(bytes: Uint8Array, text: string, at: number = 0): boolean {
  return latin(bytes, at, at + text.length) === text;
}

function latin(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Two letters are too few to go by: four bytes that are always 0 stand behind the size. */
function recogniseBitmap(start: Uint8Array): FileKind | undefined {
  return holds(start, "BM") && holds(start, "\0\0\0\0", 6)
    ? { kind: "bmp", what: "an image (BMP)" }
    : undefined;
}

/** A zip archive begins with the name of its first entry: NumPy and PyTorch files are such archives. */
function recogniseZip(start: Uint8Array): FileKind | undefined {
  if (holds(start, "PK\x05\x06")) return { kind: "zip", what: "a zip archive with nothing in it" };
  if (!holds(start, "PK\x03\x04")) return undefined;
  const first = latin(start, 30, 30 + (start[26] ?? 0) + 256 * (start[27] ?? 0));
  if (first.endsWith(".npy")) return { kind: "npz", what: "an archive of NumPy arrays (.npz)" };
  if (/(?:^|\/)(?:data\.pkl|byteorder)$/.test(first))
    return { kind: "pytorch", what: "a PyTorch checkpoint (.pt)" };
  return { kind: "zip", what: "a zip archive", advice: unpack };
}

/** Protocols 2 to 5 begin with their number; 10 bytes behind it are what old PyTorch wrote first. */
function recognisePickle(start: Uint8Array): FileKind | undefined {
  if (holds(start, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"))
    return { kind: "pytorch", what: "a PyTorch checkpoint (.pt)" };
  return start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5
    ? { kind: "pickle", what: "a Python pickle" }
    : undefined;
}

/** What this house reads itself. ONNX has no signature: its first field is nearly always the version, a small number. */
function recogniseTensors(start: Uint8Array): FileKind | undefined {
  const [first, second, type = 0, dimensions = 0] = start;
  if (start.length > 8 && start[8] === 0x7b /* { */) {
    const headerBytes = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
    if (headerBytes >= 2n && headerBytes <= 100_000_000n)
      return { kind: "safetensors", what: "a safetensors file" };
  }
  if (first === 0 && second === 0 && type >= 0x08 && type <= 0x0e && dimensions >= 1 && dimensions <= 4)
    return { kind: "idx", what: "an IDX file" };
  const isFieldOfModel = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(type);
  return first === 0x08 && second! > 0 && second! < 0x20 && isFieldOfModel
    ? { kind: "onnx", what: "an ONNX model" }
    : undefined;
}

function recogniseText(start: Uint8Array): FileKind | undefined {
  let text: string;
  try {
    // As a stream: the last character may be cut in two.
    text = new TextDecoder("utf-8", { fatal: true }).decode(start, { stream: true });
  } catch {
    return undefined;
  }
  if (/[^\P{Cc}\t\n\r\f]/u.test(text)) return undefined;
  const shown = text.trimStart();
  if (shown.startsWith("version https://git-lfs")) {
    const advice = "fetch the file itself with `git lfs pull`";
    return { kind: "git-lfs", what: "a Git LFS pointer, which stands for the file", advice };
  }
  const advice = "download the file itself again, from the address of the raw file";
  if (/^<(?:!doctype html|html|head|body|!--)/i.test(shown))
    return { kind: "web-page", what: "a web page (HTML)", advice };
  const isError = /<Error>|"(?:message|error|errors|detail)"\s*:/i.test(shown);
  if (/^[<{[]/.test(shown) && isError)
    return { kind: "server-error", what: "the error message of a server", advice };
  if (shown.startsWith("<")) return { kind: "xml", what: "an XML text" };
  if (/^[{[]/.test(shown)) return { kind: "json", what: "a JSON text" };
  return isTable(shown) ? { kind: "csv", what: "a CSV table" } : { kind: "text", what: "plain text" };
}

/** Whether all lines have as many columns, or a first line that does not end has many: the names of 784 pixels, say. */
function isTable(text: string): boolean {
  const lines = text.trimEnd().split(/\r?\n/);
  const last = lines.pop()!;
  return [",", ";", "\t"].some((separator) => {
    const columns = (line: string): number => line.replaceAll(/"[^"]*"/g, "").split(separator).length;
    if (lines.length === 0) return columns(last) > 8;
    const wanted = columns(lines[0]!);
    // The end of `text` may cut the last line short.
    return (
      wanted > 1 &&
      lines.every((line) => columns(line) === wanted) &&
      columns(last) > 1 &&
      columns(last) <= wanted
    );
  });
}
