/** What another agent can be asked to do with user fences. */
import type { BufferHandleData, FenceHandle, UserFenceHandleData, WaitResult } from "../../../src/index.js";
import type { Scene } from "./scene.js";

/** A fence of its own, which it keeps: the handles to send. */
export function makeUserFence({ domain }: Scene, name: string, handles: number): UserFenceHandleData[] {
  const fence = domain.createUserFence({ name });
  return Array.from({ length: handles }, () => structuredClone(fence.handle()));
}

export async function waitForUserFence(
  { domain, begun }: Scene,
  handle: UserFenceHandleData,
  timeout = Infinity,
): Promise<WaitResult> {
  using fence = domain.import(handle);
  const waiting = fence.wait({ timeout });
  begun();
  return await waiting;
}

export function waitForUserFenceSync(
  { domain, begun }: Scene,
  handle: UserFenceHandleData,
  timeout = Infinity,
): WaitResult {
  using fence = domain.import(handle);
  begun();
  return fence.waitSync({ timeout });
}

/** Returns whether it was the first. */
export function signalUserFence({ domain }: Scene, handle: UserFenceHandleData): boolean {
  using fence = domain.import(handle);
  return fence.signal();
}

export function signalUserFenceAfter({ domain }: Scene, handle: UserFenceHandleData, fence: FenceHandle): void {
  using own = domain.import(handle);
  own.signalAfter(domain.import(fence));
}

/** What a device does: it writes the word, and rings no agent. */
export function writeWord({ domain }: Scene, handle: BufferHandleData, offset: number, value: bigint): void {
  using buffer = domain.import(handle);
  using map = buffer.mmap();
  const { buffer: memory, byteOffset } = map.bytes;
  new BigUint64Array(memory, byteOffset + offset, 1)[0] = value;
}
