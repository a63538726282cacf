import type { MessagePort } from "node:worker_threads";
import {
  Domain,
  type DmaBuf,
  type Fence,
  type FenceHandle,
  type Invitation,
  type ReceivedHandle,
} from "../../src/index.js";
import type { Figures } from "../figures.js";
import { operations, sample, sampleAsync, type Plan } from "./sampling.js";
import { nextMessage, twoWorkers, type WorkersParameters } from "./two-workers.js";

/**
 * Two workers hand a buffer to each other by fences on two timelines: each signals its own and waits for the other's.
 * The fences are created, sent and imported beforehand.
 */
export interface FenceRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  readonly wait: Wait;
  /** Of the buffer; its first and last byte are written before and checked after each hand-off. 0 for none. */
  readonly bytes: number;
}

/** `spin` as the domain does it by itself, `park` without spinning first, `async` from the event loop. */
export type Wait = "spin" | "park" | "async";

/** How a domain is told not to spin. */
export function spinOption(wait: Wait): { spin?: number } {
  return wait === "park" ? { spin: 0 } : {};
}

interface Ends {
  readonly mine: Fence[];
  readonly theirs: Fence[];
  readonly bytes: Uint8Array;
}

await twoWorkers<FenceRoundTripParameters>(import.meta.url, lead, follow);

async function lead(port: MessagePort, { plan, wait, bytes }: FenceRoundTripParameters): Promise<Figures> {
  const domain = Domain.create(spinOption(wait));
  const invitation = domain.invite();
  const buffer = domain.allocate(Math.max(bytes, 2));
  port.postMessage([invitation, buffer.handle("read-write")], [invitation.port as MessagePort]);
  const { mine, theirs, bytes: place } = await exchange(port, domain, buffer, bytes, operations(plan));
  if (wait === "async") {
    return sampleAsync(plan, async (first, end) => {
      for (let i = first; i < end; i++) {
        write(place, i);
        mine[i]!.signal();
        await theirs[i]!.wait();
        check(place, i + 1);
      }
    });
  }
  return sample(plan, (first, end) => {
    for (let i = first; i < end; i++) {
      write(place, i);
      mine[i]!.signal();
      theirs[i]!.waitSync();
      check(place, i + 1);
    }
  });
}

async function follow(port: MessagePort, { plan, wait, bytes }: FenceRoundTripParameters): Promise<void> {
  const [invitation, handle] = await nextMessage<[Invitation, ReceivedHandle]>(port);
  const domain = Domain.join(invitation, spinOption(wait));
  const buffer = domain.import(handle);
  const { mine, theirs, bytes: place } = await exchange(port, domain, buffer, bytes, operations(plan));
  for (let i = 0; i < operations(plan); i++) {
    if (wait === "async") await theirs[i]!.wait();
    else theirs[i]!.waitSync();
    check(place, i);
    write(place, i + 1);
    mine[i]!.signal();
  }
}

async function exchange(
  port: MessagePort,
  domain: Domain,
  buffer: DmaBuf,
  bytes: number,
  count: number,
): Promise<Ends> {
  const timeline = domain.timeline();
  const mine = Array.from({ length: count }, () => timeline.createFence());
  const handles = nextMessage<FenceHandle[]>(port);
  port.postMessage(mine.map((fence) => domain.exportFence(fence)));
  const theirs = (await handles).map((handle) => domain.importFence(handle));
  const { memory, offset } = buffer.segments[0]!;
  return { mine, theirs, bytes: new Uint8Array(memory, offset, bytes) };
}

function write(bytes: Uint8Array, mark: number): void {
  if (bytes.length === 0) return;
  bytes[0] = mark;
  bytes[bytes.length - 1] = mark;
}

function check(bytes: Uint8Array, mark: number): void {
  if (bytes.length === 0) return;
  if (bytes[0] !== (mark & 0xff) || bytes[bytes.length - 1] !== (mark & 0xff)) throw new Error("A hand-off came early");
}
