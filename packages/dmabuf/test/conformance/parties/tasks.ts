/** What another agent can be asked to do. Each is one call of the library, as far as that can be. */
import { agentOf } from "../../../src/domain-base.js";
import {
  unwrap,
  waitAny as waitForAny,
  waitAnySync as waitForAnySync,
  type ErrorCode,
  type FenceHandle,
  type BufferHandleData,
  type Usage,
  type WaitAnyResult,
  type WaitResult,
} from "../../../src/index.js";
import { contextOf, countAlone, reservationOf, shuffled, type Scene } from "./scene.js";
import { addFence, makeLine, places, type LineKind } from "../reservation-support.js";

export * from "./buffer-tasks.js";
export * from "./exporter-tasks.js";
export * from "./long-running-tasks.js";
export * from "./move-tasks.js";
export * from "./number-tasks.js";
export * from "./paged-tasks.js";
export * from "./queue-tasks.js";
export * from "./sync-tasks.js";
export * from "./syncobj-tasks.js";
export * from "./user-fence-tasks.js";
export * from "./validator-tasks.js";

export function nothing(_scene: Scene): void {}

// Fences that were sent to it.

export function status({ domain }: Scene, fence: FenceHandle): number {
  return domain.import(fence).status;
}

export function errorCode({ domain }: Scene, fence: FenceHandle): ErrorCode | undefined {
  return domain.import(fence).error?.code;
}

export function timestamp({ domain }: Scene, fence: FenceHandle): number | undefined {
  return domain.import(fence).timestamp;
}

export function setDeadline({ domain }: Scene, fence: FenceHandle, deadlineNs: number): void {
  domain.import(fence).setDeadline(deadlineNs);
}

/** The plain fences in a container. */
export function unwrapped({ domain }: Scene, fence: FenceHandle): [context: number, seqno: number][] {
  return [...unwrap(domain.import(fence))].map(({ context, seqno }) => [context, seqno]);
}

export async function wait({ domain, begun }: Scene, fence: FenceHandle, timeout = Infinity): Promise<WaitResult> {
  const waiting = domain.import(fence).wait({ timeout });
  begun();
  return waiting;
}

export function waitSync({ domain, begun }: Scene, fence: FenceHandle, timeout = Infinity): WaitResult {
  begun();
  return domain.import(fence).waitSync({ timeout });
}

export async function waitAny({ domain, begun }: Scene, fences: FenceHandle[]): Promise<WaitAnyResult> {
  const waiting = waitForAny(fences.map((fence) => domain.import(fence)));
  begun();
  return waiting;
}

export function waitAnySync({ domain, begun }: Scene, fences: FenceHandle[]): WaitAnyResult {
  begun();
  return waitForAnySync(fences.map((fence) => domain.import(fence)));
}

export interface Runs {
  readonly order: number[];
  readonly statuses: number[];
}

/** Adds callbacks, and removes some of them again; tells which have run, and the status that they saw. */
export async function callbacks(
  scene: Scene,
  handle: FenceHandle,
  count: number,
  removed: number[] = [],
): Promise<Runs> {
  const fence = scene.domain.import(handle);
  const runs: Runs = { order: [], statuses: [] };
  const added = Array.from({ length: count }, (_, index) =>
    fence.addCallback(() => {
      runs.order.push(index);
      runs.statuses.push(fence.status);
    }),
  );
  for (const index of removed) added[index]!.remove();
  scene.begun();
  await fence.wait();
  return runs;
}

// Fences of its own.

export function makeFence({ domain, fences }: Scene, name: string, kind: LineKind): FenceHandle {
  const fence = makeLine(agentOf(domain), kind).fences(1)[0]!;
  fences.set(name, fence);
  return fence.handle();
}

export function signal({ fences }: Scene, name: string, error?: ErrorCode, timestampNs?: number): boolean {
  const fence = fences.get(name)!;
  if (error !== undefined) fence.setError(error);
  return fence.signal(timestampNs);
}

// Reservations.

export function openBuffer({ domain, buffers }: Scene, name: string, handle: BufferHandleData): void {
  buffers.set(name, domain.import(handle));
}

/** Adds fences of one new context with these usages, each in a lock section of its own; returns the context. */
export function addFences(scene: Scene, buffer: string, kind: LineKind, usages: Usage[]): number {
  const added = makeLine(agentOf(scene.domain), kind).fences(usages.length);
  added.forEach((fence, i) => {
    scene.fences.set(`${buffer} ${usages[i]}`, fence);
    addFence(reservationOf(scene, buffer), fence, usages[i]!);
  });
  return added[0]!.context;
}

export function placesOf(scene: Scene, buffer: string): ReturnType<typeof places> {
  return places(reservationOf(scene, buffer));
}

export function getFences(scene: Scene, buffer: string, usage: Usage): [context: number, seqno: number][] {
  return reservationOf(scene, buffer)
    .getFences(usage)
    .map(({ context, seqno }) => [context, seqno]);
}

export function testSignaled(scene: Scene, buffer: string, usage: Usage): boolean {
  return reservationOf(scene, buffer).testSignaled(usage);
}

export async function waitFor(scene: Scene, buffer: string, usage: Usage, timeout = Infinity): Promise<WaitResult> {
  const waiting = reservationOf(scene, buffer).wait(usage, { timeout });
  scene.begun();
  return waiting;
}

export function waitForSync(scene: Scene, buffer: string, usage: Usage, timeout = Infinity): WaitResult {
  scene.begun();
  return reservationOf(scene, buffer).waitSync(usage, { timeout });
}

// Locks.

/** Begins an acquire context; returns its ticket. */
export function begin({ domain, contexts }: Scene, context: string): number {
  contexts.set(context, domain.createAcquireContext());
  return contexts.get(context)!.ticket;
}

export async function lock(scene: Scene, buffer: string, context?: string): Promise<void> {
  const waiting = reservationOf(scene, buffer).lock(contextOf(scene, context));
  scene.begun();
  scene.locks.set(buffer, await waiting);
}

export function lockSync(scene: Scene, buffer: string, context?: string): void {
  scene.begun();
  scene.locks.set(buffer, reservationOf(scene, buffer).lockSync(contextOf(scene, context)));
}

/** Waits for the lock until the test aborts it by `abort`. */
export async function lockUntilAborted(scene: Scene, buffer: string, context: string): Promise<void> {
  const controller = new AbortController();
  scene.aborts.set(context, controller);
  const waiting = reservationOf(scene, buffer).lock(contextOf(scene, context), { signal: controller.signal });
  scene.begun();
  await waiting;
}

export function abort({ aborts }: Scene, context: string, reason: string): void {
  aborts.get(context)!.abort(reason);
}

/** Takes the lock if it is open. */
export function tryLock(scene: Scene, buffer: string): boolean {
  const lock = reservationOf(scene, buffer).tryLock();
  if (lock !== undefined) scene.locks.set(buffer, lock);
  return lock !== undefined;
}

export function unlock({ locks }: Scene, buffer: string): void {
  locks.get(buffer)![Symbol.dispose]();
}

export function backOff({ contexts }: Scene, context: string): void {
  contexts.get(context)!.backOff();
}

export function acquired({ contexts }: Scene, context: string): { acquired: number; ticket: number } {
  const { acquired, ticket } = contexts.get(context)!;
  return { acquired, ticket };
}

export function isLocked(scene: Scene, buffer: string): boolean {
  return reservationOf(scene, buffer).isLocked;
}

/** Locks some of its buffers in random order, round after round; returns how often another agent was inside as well. */
export async function lockOften(scene: Scene, rounds: number, size: number, blocking: boolean): Promise<number> {
  const { domain } = scene;
  const buffers = [...scene.buffers.values()];
  let others = 0;
  for (let round = 0; round < rounds; round++) {
    const some = shuffled(buffers).slice(0, size);
    using _context = blocking ? domain.lockAllSync(some) : await domain.lockAll(some);
    if (!countAlone(agentOf(domain), some)) others++;
  }
  return others;
}
