import { awaitedHold } from "./awaited-hold.js";
import { agentsWithDynamic } from "./agent-counter.js";
import type { Agent } from "../domain/agent.js";
import { nameAgents, waitsFor, type Identity } from "../domain/agent-slot.js";
import { exporterOf } from "./buffer-slot.js";
import { isLater, promised } from "../domain/promised.js";
import type { HeldUp } from "../domain/long-waits.js";
import { until, type Steps } from "../domain/steps.js";
import { sayFile } from "./buffer-slot.js";
import { beginMove, endMove, isPinned, pinners, publishVersion } from "./storage-slot.js";
import { needFeature } from "../domain/shared-features.js";
import { codeOf, DmaBufError } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { countedCopyTo } from "./copies.js";
import type { BufferRecord } from "./buffer-record.js";
import { laterAnswer, type Answer } from "./call.js";
import { PendingRequest } from "./pending-request.js";
import { checkStorage, segmentBytes, type StorageSegment } from "./storage.js";
import { POINT, traces } from "../domain/tracing.js";

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
export function* moveStorage(record: BufferRecord, relocate: Relocate, timeout?: number): Steps<void> {
  const { agent, key, holds, reservation } = record;
  needFeature(agent.layout, "exporters", "move the buffer");
  if (exporterOf(agent, key.slot) !== agent.identity) {
    throw new DmaBufError("EPERM", "Cannot move the buffer: only the thread that exported it may");
  }
  if (!record.known.isMovable) {
    throw new DmaBufError("EOPNOTSUPP", "Cannot move the buffer: nothing carries moved storage between these agents");
  }
  reservation.assertNotHeld("move");
  const started = agent.host.nowNs();
  const work = (): string => reservation.waitsFor("bookkeep");
  const heldUpBy =
    (why: () => string): HeldUp =>
    () => [`move buffer "${record.name}"`, why()];
  const hold = awaitedHold(holds, "write", "move the buffer");
  let held = false;
  try {
    const users = (): string => waitsFor(agent, hold.inTheWay());
    held = hold.ready() || (yield until(agent, hold, heldUpBy(users)));
    if (!held) throw timedOut(timeout, users());
    for (let moved = false; !moved;) {
      const overdue = reservation.overdueWork("bookkeep");
      if (overdue !== undefined && !(yield until(agent, overdue, heldUpBy(work)))) {
        throw timedOut(timeout, work());
      }
      const lock = yield* reservation.locking(undefined, timeout);
      lock.spansTurns = true;
      try {
        moved = yield* moveLocked(record, relocate, timeout);
      } finally {
        lock[Symbol.dispose]();
      }
    }
    if (traces(agent, POINT["buffer:move"])) record.trace(POINT["buffer:move"], agent.host.nowNs() - started);
  } finally {
    if (held) holds.release("write");
    else hold.giveUp();
  }
}

/** @returns False if the lock was lost with an importer's agent, or work has become overdue. */
function* moveLocked(record: BufferRecord, relocate: Relocate, timeout?: number): Steps<boolean> {
  const { agent, key, reservation, size } = record;
  if (record.virtualMap.isMapped || !beginMove(agent, key.slot)) throw pinned(record);
  try {
    if (!(yield* notifyImporters(record, timeout))) return false;
    if (record.virtualMap.isMapped || isPinned(agent, key.slot)) throw pinned(record);
    if (!(yield* reservation.signaled("bookkeep"))) throw timedOut(timeout, reservation.waitsFor("bookkeep"));
    if (reservation.overdueWork("bookkeep") !== undefined) return false;
    reservation.reserveFences(1);
    const given = promised(relocate(record.known.current.segments));
    const { segments, copied } = isLater(given) ? yield* laterAnswer(given) : given;
    checkStorage(segments, size);
    const storage = record.adopt(segments);
    if (copied !== undefined) publish(copied);
    const { file } = storage;
    const version = (record.known.newest.version + 1) | 0 || 1;
    record.known.replace(version, storage, () => {
      if (copied !== undefined) reservation.addFence(copied, "kernel");
      publishVersion(agent, key.slot, version);
      sayFile(agent, key.slot, file);
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
export function* notifyImporters(record: BufferRecord, timeout?: number): Steps<boolean> {
  const { agent, key, reservation } = record;
  record.moveNotify();
  for (const importers of agentsWithDynamic(agent, key.slot)) {
    if (importers === agent.identity) continue;
    yield* ask(record, importers, timeout);
    if (!reservation.isHeldHere) return false;
  }
  return true;
}

function* ask({ agent, key, reservation }: BufferRecord, importers: Identity, timeout?: number): Steps<void> {
  const none = { attachment: 0, mapping: 0, isDynamic: false, allowPeerToPeer: false, name: "" };
  const fields = { exporter: importers, buffer: key, operation: "moveNotify", mode: "write", ...none } as const;
  try {
    yield* new PendingRequest(agent, fields, reservation).answer(timeout);
  } catch (error) {
    // They have ended, or let the buffer go before they heard of it.
    if (codeOf(error) !== "ESRCH" && codeOf(error) !== "ESTALE") throw error;
  }
}

/** A move to new memory of the same size, with a copy by this thread. */
export function copyTo(agent: Agent, segments: readonly StorageSegment[], size: number): Relocate {
  checkStorage(segments, size);
  return (from) => {
    copySegments(agent, from, segments);
    return { segments };
  };
}

function copySegments(agent: Agent, from: readonly StorageSegment[], to: readonly StorageSegment[]): void {
  const targets = to.map(segmentBytes);
  let target = targets.shift();
  for (let source of from.map(segmentBytes)) {
    while (target !== undefined && source.length > 0) {
      const length = Math.min(source.length, target.length);
      countedCopyTo(agent, "buffer.move()", source.subarray(0, length), target);
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
