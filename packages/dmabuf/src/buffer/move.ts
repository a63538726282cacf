import { agentsWithDynamic } from "./agent-counter.js";
import { nameAgents, waitsFor, type Identity } from "../domain/agent-slot.js";
import { exporterOf } from "./buffer-slot.js";
import { limitsOf, type WaitTerms } from "../domain/wait.js";
import { beginMove, endMove, isPinned, pinners, publishVersion } from "./storage-slot.js";
import { codeOf, DmaBufError } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { countedCopyTo } from "./copies.js";
import type { BufferRecord } from "./buffer-record.js";
import type { Answer } from "./call.js";
import { PendingRequest } from "./pending-request.js";
import { checkStorage, segmentBytes, type StorageSegment } from "./storage.js";

/** Where the bytes of a buffer that is moved are from then on. */
export interface NewStorage {
  /** As many bytes as before, in any number of segments. */
  readonly segments: readonly StorageSegment[];
  /** When the bytes will have arrived there, if something else than this thread copies them; all users wait for it. */
  readonly copied?: Fence;
}

/** Gives the new storage: the bytes are there when it answers, or when its fence signals. */
export type Relocate = (from: readonly StorageSegment[]) => Answer<NewStorage>;

/**
 * Moves a buffer's storage; its exporter's agent alone may do it.
 *
 * move.1. The mover first has the write hold, then the lock: no code of users is at the bytes, and none begins.
 * move.2. Dynamic importers are told, agent by agent, each with the lock in its agent. One that dies with the lock
 *      takes it along: the mover locks again and begins again.
 * move.3. All fences are waited for, whatever their usage, with the lock; for overdue work, which has no limit, the
 *      mover waits without the lock, and begins again. Then the bytes are where only the exporter uses them.
 * move.4. What can fail is done before the new storage is announced: after that come the fence of the copy, the version
 *      and the ends of lock and hold, in this order.
 *
 * @see linux/drivers/dma-buf/dma-buf.c, `dma_buf_move_notify`
 */
export async function moveStorage(record: BufferRecord, relocate: Relocate, options: WaitTerms): Promise<void> {
  const { agent, key, holds } = record;
  if (exporterOf(agent, key.slot) !== agent.identity) {
    throw new DmaBufError("EPERM", "Cannot move the buffer: only the thread that exported it may");
  }
  if (!record.known.isMovable) {
    throw new DmaBufError("EOPNOTSUPP", "Cannot move the buffer: nothing carries moved storage between these agents");
  }
  record.reservation.assertNotHeld("move");
  const rest = limitsOf(agent.host, options);
  const hold = holds.awaited("write");
  let held = false;
  try {
    held = await agent.wait(hold, options);
    if (!held) throw timedOut(options.timeout, waitsFor(agent, hold.inTheWay()));
    for (let moved = false; !moved;) {
      const overdue = record.reservation.overdueWork("bookkeep");
      if (overdue !== undefined && !(await agent.wait(overdue, rest()))) {
        throw timedOut(options.timeout, record.reservation.waitsFor("bookkeep"));
      }
      using lock = await record.reservation.lock(undefined, rest());
      lock.spanTurns();
      moved = await moveLocked(record, relocate, rest);
    }
  } finally {
    if (held) holds.release("write");
    else hold.giveUp();
  }
}

/** @returns False if the lock was lost with an importer's agent, or work has become overdue. */
async function moveLocked(record: BufferRecord, relocate: Relocate, rest: () => WaitTerms): Promise<boolean> {
  const { agent, key, reservation, size } = record;
  if (record.virtualMap.isMapped || !beginMove(agent, key.slot)) throw pinned(record);
  try {
    if (!(await notifyImporters(record, rest))) return false;
    if (record.virtualMap.isMapped || isPinned(agent, key.slot)) throw pinned(record);
    const fences = await reservation.wait("bookkeep", rest());
    if (fences === "timed-out") throw timedOut(rest().timeout, reservation.waitsFor("bookkeep"));
    if (reservation.overdueWork("bookkeep") !== undefined) return false;
    reservation.reserveFences(1);
    const { segments, copied } = await relocate(record.known.current.segments);
    checkStorage(segments, size);
    const storage = record.adopt(segments);
    if (copied !== undefined) publish(copied);
    const { version } = record.known.newest;
    record.known.replace((version + 1) | 0, storage, () => {
      if (copied !== undefined) reservation.addFence(copied, "kernel");
      publishVersion(agent, key.slot, (version + 1) | 0);
    });
    return true;
  } finally {
    endMove(agent, key.slot);
  }
}

/**
 * Tells the dynamic importers in all agents that the storage is about to move; the caller has the lock.
 *
 * @returns Whether the caller still has it: an importer's agent may have ended with it.
 */
export async function notifyImporters(record: BufferRecord, rest: () => WaitTerms): Promise<boolean> {
  const { agent, key, reservation } = record;
  record.moveNotify();
  for (const importers of agentsWithDynamic(agent, key.slot)) {
    if (importers === agent.identity) continue;
    await ask(record, importers, rest());
    if (!reservation.isHeldHere) return false;
  }
  return true;
}

async function ask({ agent, key, reservation }: BufferRecord, importers: Identity, options: WaitTerms): Promise<void> {
  const none = { attachment: 0, mapping: 0, isDynamic: false, allowPeerToPeer: false, name: "" };
  const fields = { exporter: importers, buffer: key, operation: "moveNotify", mode: "write", ...none } as const;
  try {
    await new PendingRequest(agent, fields, reservation).result(options);
  } catch (error) {
    // They have ended, or let the buffer go meanwhile.
    if (codeOf(error) !== "ESRCH" && codeOf(error) !== "ESTALE") throw error;
  }
}

/** A move to new memory of the same size, with a copy by this thread. */
export function copyTo(segments: readonly StorageSegment[], size: number): Relocate {
  checkStorage(segments, size);
  return (from) => {
    copySegments(from, segments);
    return { segments };
  };
}

function copySegments(from: readonly StorageSegment[], to: readonly StorageSegment[]): void {
  const targets = to.map(segmentBytes);
  let target = targets.shift();
  for (let source of from.map(segmentBytes)) {
    while (target !== undefined && source.length > 0) {
      const length = Math.min(source.length, target.length);
      countedCopyTo(source.subarray(0, length), target);
      source = source.subarray(length);
      target = length < target.length ? target.subarray(length) : targets.shift();
    }
  }
}

function pinned({ agent, key, virtualMap }: BufferRecord): DmaBufError {
  const own = virtualMap.isMapped ? [agent.identity] : [];
  const names = nameAgents(agent, [...own, ...pinners(agent, key.slot)]);
  return new DmaBufError("EBUSY", `Cannot move the buffer: its storage is pinned${names === "" ? "" : ` by ${names}`}`);
}

function timedOut(timeout: number | undefined, reason: string): DmaBufError {
  return new DmaBufError("ETIMEDOUT", `Cannot move the buffer in ${timeout} ms: ${reason}`);
}
