import type { MessagePort } from "node:worker_threads";
import {
  Domain,
  type DmaBuf,
  type Fence,
  type FenceHandle,
  type Invitation,
  type ReceivedHandle,
  type Timeline,
} from "../../src/index.js";
import type { Figures } from "../figures.js";
import { operations, Sampler, type Plan } from "./sampling.js";
import { nextMessage, twoWorkers, type WorkersParameters } from "./two-workers.js";

/**
 * Two workers hand a buffer to each other by fences on two timelines: each signals its own and waits for the other's.
 * The fences are created, sent and imported beforehand, for some round trips at a time.
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

/** For how many round trips fences are made at a time. */
const ROUNDS = 200;

async function lead(port: MessagePort, { plan, wait, bytes }: FenceRoundTripParameters): Promise<Figures> {
  const domain = Domain.create(spinOption(wait));
  const invitation = domain.invite();
  const buffer = domain.allocate(Math.max(bytes, 2));
  port.postMessage([invitation, buffer.handle("read-write")], [invitation.port as MessagePort]);
  const end = new End(port, domain, buffer, bytes);
  const sampler = new Sampler(plan);
  while (!sampler.isDone) {
    if (end.left < plan.batch) {
      await end.refill();
      // Not timed: the other side may still be importing.
      end.lead(0, 1);
    }
    if (wait === "async") await sampler.takeAsync((first, count) => end.leadAsync(first, count));
    else sampler.take((first, count) => end.lead(first, count));
  }
  return sampler.figures;
}

async function follow(port: MessagePort, { plan, wait, bytes }: FenceRoundTripParameters): Promise<void> {
  const [invitation, handle] = await nextMessage<[Invitation, ReceivedHandle]>(port);
  const domain = Domain.join(invitation, spinOption(wait));
  const end = new End(port, domain, domain.import(handle), bytes);
  for (let first = 0; first < operations(plan); first += plan.batch) {
    if (end.left < plan.batch) {
      await end.refill();
      end.follow(0, 1);
    }
    if (wait === "async") await end.followAsync(first, plan.batch);
    else end.follow(first, plan.batch);
  }
}

/** One side: its own fences, the other side's, and the buffer. */
class End {
  readonly #port: MessagePort;
  readonly #domain: Domain;
  readonly #timeline: Timeline;
  readonly #bytes: Uint8Array;
  #mine: Fence[] = [];
  #theirs: Fence[] = [];
  #next = 0;

  constructor(port: MessagePort, domain: Domain, buffer: DmaBuf, bytes: number) {
    this.#port = port;
    this.#domain = domain;
    this.#timeline = domain.timeline();
    const { memory, offset } = buffer.segments[0]!;
    this.#bytes = new Uint8Array(memory, offset, bytes);
  }

  /** For how many round trips there are fences. */
  get left(): number {
    return this.#mine.length - this.#next;
  }

  async refill(): Promise<void> {
    this.#mine = Array.from({ length: ROUNDS + 1 }, () => this.#timeline.createFence());
    const handles = nextMessage<FenceHandle[]>(this.#port);
    this.#port.postMessage(this.#mine.map((fence) => this.#domain.exportFence(fence)));
    this.#theirs = (await handles).map((handle) => this.#domain.importFence(handle));
    this.#next = 0;
  }

  lead(first: number, count: number): void {
    for (let i = first; i < first + count; i++) {
      this.#give(i);
      this.#theirs[this.#next]!.waitSync();
      this.#check(i + 1);
      this.#next++;
    }
  }

  follow(first: number, count: number): void {
    for (let i = first; i < first + count; i++) {
      this.#theirs[this.#next]!.waitSync();
      this.#check(i);
      this.#give(i + 1);
      this.#next++;
    }
  }

  async leadAsync(first: number, count: number): Promise<void> {
    for (let i = first; i < first + count; i++) {
      this.#give(i);
      await this.#theirs[this.#next]!.wait();
      this.#check(i + 1);
      this.#next++;
    }
  }

  async followAsync(first: number, count: number): Promise<void> {
    for (let i = first; i < first + count; i++) {
      await this.#theirs[this.#next]!.wait();
      this.#check(i);
      this.#give(i + 1);
      this.#next++;
    }
  }

  /** Marks the buffer as the other side's. */
  #give(mark: number): void {
    const bytes = this.#bytes;
    if (bytes.length > 0) bytes[0] = bytes[bytes.length - 1] = mark;
    this.#mine[this.#next]!.signal();
  }

  #check(mark: number): void {
    const bytes = this.#bytes;
    if (bytes.length === 0 || (bytes[0] === (mark & 0xff) && bytes[bytes.length - 1] === (mark & 0xff))) return;
    throw new Error("A hand-off came early");
  }
}

await twoWorkers<FenceRoundTripParameters>(import.meta.url, lead, follow);
