import { DmaBuf, holderOf } from "../buffer/buffer.js";
import type { Activity, Doing } from "../domain/activity.js";
import type { Agent } from "../domain/agent.js";
import { awaitsFence } from "../domain/awaited-key.js";
import { backingOf, Fence, fenceAgent } from "../fence/fence.js";
import { UserFence, userBackingOf } from "../fence/user-fence.js";
import { unwrap } from "../fence/unwrap.js";
import { lineOf, Queue } from "../queue/queue.js";
import { tryReadEntries } from "../reservation/entries.js";
import { Reservation, userOf } from "../reservation/reservation.js";
import { endOf, FrameStream } from "../stream/frame-stream.js";
import { awaitedThing, originText, type Thing } from "./thing.js";

/** What of a domain can be explained. `Data` is what a queue's jobs have. */
export type Explainable<Data = undefined> =
  Fence | UserFence | DmaBuf | Reservation | FrameStream | Queue<Data> | Promise<unknown>;

/** Whose object it is. */
export function agentOfObject<Data>(what: Exclude<Explainable<Data>, Promise<unknown>>): Agent {
  if (what instanceof Fence) return fenceAgent(what);
  if (what instanceof UserFence) return userBackingOf(what).agent;
  if (what instanceof DmaBuf) return holderOf(what).record.agent;
  if (what instanceof Reservation) return userOf(what).agent;
  return what instanceof FrameStream ? endOf(what).agent : lineOf(what).owner.agent;
}

/** The things that a wait, or an object of the user's, is about: those that are in the way just now may be fewer. */
export function thingsOf(agent: Agent, doing: object | undefined): readonly Thing[] {
  if (doing instanceof Fence) return fenceThings(doing);
  if (Array.isArray(doing)) return doing.flatMap((one: object) => thingsOf(agent, one));
  if (doing instanceof DmaBuf) return [{ kind: "buffer", slot: holderOf(doing).record.key.slot }];
  if (doing instanceof Reservation) return reservationThings(agent, userOf(doing).shared.slot);
  if (doing instanceof FrameStream) return [{ kind: doing.isProducer ? "loan" : "frame", ...endOf(doing).key }];
  if (doing instanceof Queue) return queueThings(doing);
  const activity = (waitOf(doing) as Doing | undefined)?.activity?.();
  const thing = activity && awaitedThing(agent.layout, activity);
  return thing === undefined ? [] : [thing];
}

/** Of a user fence its wait, which knows what it is. */
function waitOf(doing: object | undefined): object | undefined {
  return doing instanceof UserFence ? userBackingOf(doing).awaited() : doing;
}

/** What other agents are told of a wait: one thing, which they know too. */
export function activityOf(doing: object): Activity | undefined {
  if (doing instanceof Fence) {
    const key = [...unwrap(doing)]
      .filter(isPending)
      .map(keyOf)
      .find((key) => key !== undefined);
    return key && awaitsFence(key);
  }
  if (!Array.isArray(doing)) return (doing as Doing).activity?.();
  return doing.map((one: object) => activityOf(one)).find((activity) => activity !== undefined);
}

function fenceThings(fence: Fence): readonly Thing[] {
  return [...unwrap(fence)].filter(isPending).map((one) => {
    const key = keyOf(one);
    return key === undefined ? { kind: "own-fence", name: originText(one) } : { kind: "fence", key };
  });
}

function isPending(fence: Fence): boolean {
  return !fence.isSignaled();
}

function keyOf(fence: Fence): ReturnType<ReturnType<typeof backingOf>["key"]> {
  return backingOf(fence).key(fence);
}

/** Its lock, and the fences in it. */
function reservationThings(agent: Agent, slot: number): readonly Thing[] {
  const entries = tryReadEntries(agent, slot) ?? [];
  return [{ kind: "lock", slot }, ...entries.map(({ key }) => ({ kind: "fence", key }) as const)];
}

/** What its next job waits for, or the job itself if that runs. */
function queueThings<Data>(queue: Queue<Data>): readonly Thing[] {
  const oldest = lineOf(queue).oldest;
  if (oldest === undefined) return [];
  const pending = oldest.pending.flatMap((fence) => fenceThings(fence));
  return pending.length > 0 ? pending : fenceThings(oldest.finished);
}
