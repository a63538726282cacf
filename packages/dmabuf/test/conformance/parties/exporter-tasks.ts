/** What another agent can be asked to do as an exporter with operations, or as the importer of its buffer. */
import {
  DmaBufError,
  PAGE_SIZE,
  type ExporterOps,
  type BufferHandleData,
  type StorageSegment,
} from "../../../src/index.js";
import type { Scene } from "./scene.js";

/** How the exporter answers. */
export type Style = "at once" | "slow" | "busy" | "never" | "fails to end";

/** Exports a page by an exporter that notes its calls. */
export function exportWithOps(scene: Scene, buffer: string, style: Style): BufferHandleData {
  const { domain, buffers, calls, createMemory } = scene;
  const own: string[] = [];
  calls.set(buffer, own);
  const memory = createMemory(PAGE_SIZE);
  buffers.set(buffer, domain.export([memory], { ops: exporter(style, memory, own) }));
  return { ...buffers.get(buffer)!.handle() };
}

/** The operations that have run in this exporter. */
export function callsOf({ calls }: Scene, buffer: string): readonly string[] {
  return calls.get(buffer)!;
}

/** Attaches, maps to write, and writes 7. */
export async function attachAndWrite({ buffers, attachments }: Scene, buffer: string): Promise<void> {
  const attachment = await buffers.get(buffer)!.attach({ name: "importer" });
  attachments.set(buffer, attachment);
  using mapping = await attachment.map("write");
  writeSeven(mapping.segments);
}

/** As {@link attachAndWrite}, for a dynamic importer that blocks with the lock. */
export function attachAndWriteSync({ buffers, attachments }: Scene, name: string): void {
  const buffer = buffers.get(name)!;
  const attachment = buffer.attachSync({ name: "importer", moveNotify() {} });
  attachments.set(name, attachment);
  using _lock = buffer.reservation.lockSync();
  using mapping = attachment.mapLockedSync("write");
  writeSeven(mapping.segments);
}

export function detach({ attachments }: Scene, buffer: string): void {
  attachments.get(buffer)![Symbol.dispose]();
}

export async function pinAndUnpin({ buffers }: Scene, name: string): Promise<void> {
  const buffer = buffers.get(name)!;
  using attachment = await buffer.attach({ name: "display", moveNotify() {} });
  using _lock = await buffer.reservation.lock();
  await attachment.pin();
  attachment.unpin();
}

/** Raises the first byte in an access that blocks; returns it. */
export function raiseFirst({ buffers }: Scene, buffer: string): number {
  using access = buffers.get(buffer)!.accessSync("write", { timeout: 10_000 });
  access.bytes[0]! += 1;
  return access.bytes[0]!;
}

function writeSeven([segment]: readonly StorageSegment[]): void {
  new Uint8Array(segment!.memory)[0] = 7;
}

function exporter(style: Style, memory: StorageSegment, calls: string[]): ExporterOps {
  const answer = async (name: string): Promise<void> => {
    calls.push(name);
    if (style === "busy") throw new DmaBufError("EBUSY", "The device cannot reach this memory");
    if (style === "slow") await new Promise((resolve) => setTimeout(resolve, 100));
    if (style === "never") await new Promise(() => {});
    calls.push(`${name} done`);
  };
  const end = (name: string): void => {
    calls.push(name);
    if (style === "fails to end") throw new Error("The device is gone");
  };
  return {
    map: () => answer("map").then(() => [memory]),
    unmap: () => end("unmap"),
    pin: () => void calls.push("pin"),
    unpin: () => end("unpin"),
    ...(style === "fails to end" && { detach: () => end("detach") }),
    beginCpuAccess: () => (style === "fails to end" ? void calls.push("begin") : answer("begin")),
    endCpuAccess: () => end("end"),
    release: () => end("release"),
  };
}
