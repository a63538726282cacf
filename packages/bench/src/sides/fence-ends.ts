import type { DmaBuf, Domain, Fence, FenceHandle, Timeline } from "dmabuf";
import type { Figures } from "../figures.js";
import { operations, Sampler, type Plan } from "./sampling.js";

/** `spin` as it is done without being told, `park` without spinning first, `async` from the event loop. */
export type Wait = "spin" | "park" | "async";

export interface FencePlan {
  readonly plan: Plan;
  readonly wait: Wait;
  /** Of the buffer; its first and last byte are written before and checked after each hand-off. 0 for none. */
  readonly bytes: number;
}

/** What is needed of a domain, of threads or of processes. */
type FenceDomain = Pick<Domain, "createTimeline" | "import">;

/** How the two sides send each other their fences. */
export interface Line {
  post(message: unknown): void;
  next<M>(): Promise<M>;
}

/** For how many round trips fences are made at a time. */
const ROUNDS = 200;

/** Measures: gives the buffer to the other side, and gets it back. */
export async function leadFences(
  line: Line,
  domain: FenceDomain,
  buffer: DmaBuf,
  { plan, wait, bytes }: FencePlan,
): Promise<Figures> {
  const end = new End(line, domain, buffer, bytes);
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

export async function followFences(
  line: Line,
  domain: FenceDomain,
  buffer: DmaBuf,
  { plan, wait, bytes }: FencePlan,
): Promise<void> {
  const end = new End(line, domain, buffer, bytes);
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
  readonly #line: Line;
  readonly #domain: FenceDomain;
  readonly #timeline: Timeline;
  readonly #bytes: Uint8Array;
  #mine: Fence[] = [];
  #theirs: Fence[] = [];
  #next = 0;

  constructor(line: Line, domain: FenceDomain, buffer: DmaBuf, bytes: number) {
    this.#line = line;
    this.#domain = domain;
    this.#timeline = domain.createTimeline();
    const { memory, offset } = buffer.segments[0]!;
    this.#bytes = new Uint8Array(memory, offset, bytes);
  }

  /** For how many round trips there are fences. */
  get left(): number {
    return this.#mine.length - this.#next;
  }

  async refill(): Promise<void> {
    this.#mine = Array.from({ length: ROUNDS + 1 }, () => this.#timeline.createFence());
    const handles = this.#line.next<FenceHandle[]>();
    this.#line.post(this.#mine.map((fence) => fence.handle()));
    this.#theirs = (await handles).map((handle) => this.#domain.import(handle));
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
