/** What another agent can be asked to do with buffers. */
import { usageFor, type AccessMode, type SyncFileHandle, type WaitResult } from "../../../src/index.js";
import { readinessOf, type Readiness, type Scene } from "./scene.js";

/** Waits for the others, and fills the buffer. */
export function fill({ buffers, begun }: Scene, buffer: string, value: number): void {
  begun();
  using access = buffers.get(buffer)!.accessSync("write");
  access.bytes.fill(value);
}

/** Maps the buffer without any synchronization. */
export function mmap({ buffers, maps }: Scene, buffer: string): void {
  maps.set(buffer, buffers.get(buffer)!.mmap());
}

/** The values in a mapping. */
export function mapped({ maps }: Scene, buffer: string): number[] {
  return [...new Set(maps.get(buffer)!.bytes)];
}

export function munmap({ maps }: Scene, buffer: string): void {
  maps.get(buffer)![Symbol.dispose]();
}

export function closeBuffer({ buffers }: Scene, buffer: string): void {
  buffers.get(buffer)!.close();
}

export function describeBuffer({ buffers }: Scene, buffer: string): string {
  return buffers.get(buffer)!.describe();
}

export function rename({ buffers }: Scene, buffer: string, name: string): void {
  buffers.get(buffer)!.name = name;
}

/** Attaches a device of this name, until the party ends. */
export function attach({ buffers }: Scene, buffer: string, name: string): void {
  buffers.get(buffer)!.attachSync({ name });
}

// Waiting for its fences.

export async function beginAccess(scene: Scene, buffer: string, mode: AccessMode, timeout = Infinity): Promise<void> {
  const waiting = scene.buffers.get(buffer)!.beginCpuAccess(mode, { timeout });
  scene.begun();
  await waiting;
}

export async function beginAccessSync(
  scene: Scene,
  buffer: string,
  mode: AccessMode,
  timeout = Infinity,
): Promise<void> {
  scene.begun();
  scene.buffers.get(buffer)!.beginCpuAccessSync(mode, { timeout });
}

/** Maps the buffer for an importer that follows moves, or does not. */
export async function mapFor(
  scene: Scene,
  buffer: string,
  importer: "static" | "dynamic",
  timeout = Infinity,
): Promise<void> {
  using attachment = scene.buffers.get(buffer)!.attachSync(importer === "dynamic" ? { moveNotify() {} } : {});
  const waiting = attachment.map("read", { timeout });
  scene.begun();
  using _mapping = await waiting;
}

export async function ready(
  { buffers, begun }: Scene,
  buffer: string,
  mode: AccessMode,
  timeout = Infinity,
): Promise<WaitResult> {
  const waiting = buffers.get(buffer)!.ready(mode, { timeout });
  begun();
  return waiting;
}

// Readiness, and sync files.

export function readiness({ buffers }: Scene, buffer: string): Readiness {
  return readinessOf(buffers.get(buffer)!);
}

export function exportFile({ buffers }: Scene, buffer: string, mode: AccessMode): SyncFileHandle {
  return buffers.get(buffer)!.exportSyncFile(mode).handle();
}

export async function importFile(
  { domain, buffers }: Scene,
  buffer: string,
  mode: AccessMode,
  file: SyncFileHandle,
): Promise<void> {
  await buffers.get(buffer)!.importSyncFile(mode, domain.import(file));
}

/** Adds a fence as a device does that never waits: if others use the buffer, it is refused. */
export function isFree({ buffers }: Scene, buffer: string, mode: AccessMode): boolean {
  return buffers.get(buffer)!.reservation.testSignaled(usageFor(mode));
}
