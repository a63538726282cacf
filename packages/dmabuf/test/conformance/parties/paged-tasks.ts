/** What another agent can be asked to do with paged buffers. */
import assert from "node:assert/strict";
import { DmaBufError, PagedBuffer, type BufferHandleData } from "../../../src/index.js";
import type { Scene } from "./scene.js";

/** How pages are filled: each byte with the number of its page, at once; when that is allowed; or not at all. */
export type Filling = "at once" | "when allowed" | "fails";

const PAGE = 4096;

/** What fills the buffers of this agent. */
const fillers = new Map<string, { calls: number; allow: () => void }>();

export function exportPaged({ domain, buffers }: Scene, name: string, pages: number, how: Filling): BufferHandleData {
  let allow = (): void => {};
  const allowed = new Promise<void>((resolve) => (allow = resolve));
  const filler = { calls: 0, allow };
  const fill = async (offset: number, bytes: Uint8Array): Promise<void> => {
    filler.calls++;
    if (how === "fails") throw new DmaBufError("ENODATA", "There is nothing to fill with");
    if (how === "when allowed" && offset > 0) await allowed;
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor((offset + i) / PAGE);
  };
  const buffer = domain.createPagedBuffer({ size: pages * PAGE, name, fill });
  fillers.set(name, filler);
  buffers.set(name, buffer);
  return buffer.handle();
}

/** How often the buffer's pages were filled so far. */
export function fillsOf(_scene: Scene, name: string): number {
  return fillers.get(name)!.calls;
}

export function allowFilling(_scene: Scene, name: string): void {
  fillers.get(name)!.allow();
}

/** The first byte of a page; stores another one then. */
export async function faultPage(
  { buffers, begun }: Scene,
  name: string,
  page: number,
  value?: number,
): Promise<number> {
  const faulting = paged(buffers.get(name)).fault(page * PAGE, 1);
  begun();
  using range = await faulting;
  const [byte] = range.bytes;
  if (value !== undefined) range.bytes[0] = value;
  return byte!;
}

export function faultPageSync({ buffers, begun }: Scene, name: string, page: number): number {
  begun();
  using range = paged(buffers.get(name)).faultSync(page * PAGE, 1);
  return range.bytes[0]!;
}

/** Pins the buffer until the agent ends. */
export async function pinPages({ buffers, begun }: Scene, name: string): Promise<void> {
  const pinning = paged(buffers.get(name)).pin();
  begun();
  pins.push(await pinning);
}

const pins: Disposable[] = [];

/** The first byte of a page, by an ordinary access. */
export async function readPage({ buffers }: Scene, name: string, page: number): Promise<number> {
  using access = await buffers.get(name)!.access("read");
  return access.bytes[page * PAGE]!;
}

function paged(buffer: unknown): PagedBuffer {
  assert.ok(buffer instanceof PagedBuffer);
  return buffer;
}
