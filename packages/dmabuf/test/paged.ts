import assert from "node:assert/strict";
import { agentOf } from "../src/domain-base.js";
import type { DmaBuf } from "../src/buffer/buffer.js";
import { PagedBuffer, type PagedBufferOptions } from "../src/buffer/paged-buffer.js";
import { pinners } from "../src/buffer/storage-slot.js";
import type { Domain } from "../src/threads.js";
import { createDomain, joinDomain } from "./agents.js";

/** Paged buffers, and what fills them, for tests. */

/** As much of a test's context as is used here. */
type Context = Parameters<typeof createDomain>[0];

export const PAGE = 4096;
export const SIZE = 4 * PAGE;

/** Fills each page with its number + 1, and keeps what it was asked for: first page and how many. */
export function counting(): { readonly calls: (readonly [page: number, pages: number])[]; readonly fill: Fill } {
  const calls: (readonly [number, number])[] = [];
  const fill: Fill = (offset, bytes) => {
    calls.push([offset / PAGE, bytes.length / PAGE]);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor((offset + i) / PAGE) + 1;
  };
  return { calls, fill };
}

export type Fill = PagedBufferOptions["fill"];

/** A promise that the test settles. */
export function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = (): void => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((settle, refuse) => {
    resolve = settle;
    reject = refuse;
  });
  return { promise, resolve, reject };
}

export function importPaged(domain: Domain, buffer: DmaBuf): PagedBuffer {
  const imported = domain.import(buffer.handle());
  assert.ok(imported instanceof PagedBuffer);
  return imported;
}

/** The buffer in its exporter's agent, and in another. */
export function shared(t: Context, options: Partial<PagedBufferOptions> & { fill: Fill }, requests = 8) {
  const owner = createDomain(t, { requests });
  const user = joinDomain(t, owner, "user");
  const own = owner.createPagedBuffer({ size: SIZE, name: "paged", ...options });
  return { owner, user, own, other: importPaged(user, own) };
}

/** How many agents have pinned the storage of the first buffer. */
export function pinsOf(domain: Domain): number {
  return pinners(agentOf(domain), 0).length;
}

export async function byteAt(buffer: PagedBuffer, offset: number): Promise<number> {
  using range = await buffer.fault(offset, 1);
  return range.bytes[0]!;
}
