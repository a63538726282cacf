/** What another agent can be asked to do with fences whose numbers have 32 bits and wrap. */
import { type FenceHandle, type Usage } from "../../../src/index.js";
import { addFence } from "../reservation-support.js";
import { reservationOf, type Scene } from "./scene.js";

/** Makes fences of one context with these numbers, and keeps them by these. */
export function makeWrapping({ domain, fences }: Scene, numbers: number[]): FenceHandle[] {
  const context = domain.allocateContexts(1);
  const ops = { driverName: "device", timelineName: "ring", seqno32: true };
  return numbers.map((seqno) => {
    const fence = domain.createFence(ops, context, seqno);
    fences.set(String(seqno), fence);
    return fence.handle();
  });
}

export function isLater({ domain }: Scene, one: FenceHandle, other: FenceHandle): boolean {
  return domain.import(one).isLater(domain.import(other));
}

/** Adds a fence that was sent to it. */
export function addImported(scene: Scene, buffer: string, fence: FenceHandle, usage: Usage): void {
  addFence(reservationOf(scene, buffer), scene.domain.import(fence), usage);
}

/** Adds a fence of its own. */
export function addKept(scene: Scene, buffer: string, fence: string, usage: Usage): void {
  addFence(reservationOf(scene, buffer), scene.fences.get(fence)!, usage);
}

/** Merges what is pending in a buffer. */
export function mergeOf(scene: Scene, buffer: string, usage: Usage): FenceHandle {
  return scene.domain.mergeFences(reservationOf(scene, buffer).getFences(usage)).handle();
}

/** Runs a job after these; returns the status of the last of them when it ran. */
export async function jobAfter({ domain, begun }: Scene, handles: FenceHandle[]): Promise<number> {
  const dependencies = handles.map((handle) => domain.import(handle));
  let status = 0;
  const queue = domain.createQueue({ run: () => void (status = dependencies.at(-1)!.status) });
  const job = await queue.submit({ dependencies });
  begun();
  await job.result();
  queue.close();
  return status;
}
