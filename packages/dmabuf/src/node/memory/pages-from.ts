import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import { check, instance, integer, TEXT, type Kind } from "../../arguments.js";
import type { PagedBufferOptions } from "../../buffer/paged-buffer.js";
import { codeOf, DmaBufError } from "../../errors.js";

const PATH: Kind = {
  ...TEXT,
  wanted: "the path of a file",
  isTaken: (path: string) => path.length > 0 && path.length <= 4096 && !path.includes("\0"),
};
const OFFSET = integer(0);
const BYTES = instance(Uint8Array);

/** What is read at once at least. */
const PAGE_BYTES = 65_536;

/**
 * A file as the pages of a buffer: each is read when it is touched for the first time. What is written to the buffer does not
 * come to the file. The file stays as it is until it is read: it is opened for each read, by its path.
 *
 * @param path Of a file that is not empty.
 * @returns Options of `domain.createPagedBuffer()`, with the size of the file.
 * @throws {DmaBufError} `ENOENT` or `EACCES` if the file cannot be looked at.
 * @example
 * ```ts
 * import { ProcessDomain, pagesFrom } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using file = domain.createPagedBuffer({ ...pagesFrom("/bin/true"), name: "a program" });
 * using header = await file.fault(0, 4);
 * console.log(String.fromCharCode(...header.bytes.subarray(1))); // ELF
 * ```
 */
export function pagesFrom(path: string): PagedBufferOptions {
  check("pagesFrom()", "path", path, PATH);
  return { size: sizeOf(path), pageSize: PAGE_BYTES, fill: (offset, bytes) => fillFrom(path, offset, bytes) };
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (cause) {
    throw new DmaBufError(codeOf(cause), "pagesFrom(): path must be the path of a file that can be looked at", {
      cause,
    });
  }
}

async function fillFrom(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  check("PagedBufferOptions.fill()", "offset", offset, OFFSET);
  check("PagedBufferOptions.fill()", "bytes", bytes, BYTES);
  const file = await open(path);
  try {
    for (let filled = 0; filled < bytes.length;) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
      if (bytesRead === 0) throw new DmaBufError("ENODATA", `Cannot fill pages: file "${path}" has become shorter`);
      filled += bytesRead;
    }
  } finally {
    await file.close();
  }
}
