/** One of the workers of the stress run: does random things with what all share, and stops where it is ordered to. */
import { agentOf } from "../../../src/domain-base.js";
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import {
  Domain,
  rawFormat,
  type AcquireContext,
  type Consumer,
  type CpuAccess,
  type DmaBuf,
  type DmaBufError,
  type ErrorCode,
  type Fence,
  type Frame,
  type FrameStream,
  type Invitation,
  type StreamHandleData,
  type Timeline,
} from "../../../src/index.js";
import { isLive } from "../../../src/domain/agent-slot.js";
import { createSharedSubstrate } from "../../../src/substrate/shared-array.js";
import { DEEDS, FRAME_BYTES, BUFFER_BYTES, type Details, type Message } from "./details.js";
import { Obedience, type Section } from "./orders.js";
import { checkPattern, writePattern } from "../../pattern.js";
import { Random } from "../../random.js";
import { claimSomething, waitForSomeUsage } from "../../random-work.js";

const { invitation, details } = workerData as { invitation: Invitation; details: Details };

class StressWorker {
  readonly #obedience = new Obedience(details.orders, details.party);
  readonly #random = new Random(details.seed);
  readonly #deeds = createSharedSubstrate(details.deeds);
  readonly #owners = new Int32Array(details.owners);
  readonly #inbox: Message[] = [];
  readonly #domain: Domain;
  readonly #timeline: Timeline;
  readonly #never: Fence;
  readonly #buffers: readonly DmaBuf[];
  readonly #own: FrameStream;
  /** Streams of others, the main thread's first. */
  readonly #consumed: Consumed[] = [];
  readonly #held: Frame[] = [];

  constructor() {
    parentPort!.on("message", (message: Message) => this.#inbox.push(message));
    this.#domain = this.#obedience.within("join", () => Domain.join(invitation, { handleLimit: 500 }));
    this.#timeline = this.#domain.createTimeline();
    this.#never = this.#domain.import(details.never);
    this.#buffers = details.buffers.map((handle) => this.#domain.import(handle));
    this.#own = this.#domain.createStream({ format: rawFormat(FRAME_BYTES), buffers: 3, name: `of ${details.party}` });
    this.#consume(details.stream);
    say({ stream: this.#own.handle() });
  }

  async run(): Promise<void> {
    const actions: [Section[], () => unknown][] = [
      [["block", "read"], () => this.#read()],
      [["block", "write"], () => this.#write()],
      [["lock", "fence", "signal"], () => this.#lock()],
      [["wait"], () => this.#wait()],
      [["claim"], () => this.#claim()],
      [["import"], () => this.#receive()],
      [["fill", "publish"], () => this.#publish()],
      [["take", "frame"], () => this.#take()],
      [[], () => this.#send()],
    ];
    while (!this.#inbox.includes("finish")) {
      if (this.#obedience.isWanted("leave")) return this.#leave();
      const wanted = actions.filter(([sections]) => sections.some((section) => this.#obedience.isWanted(section)));
      await this.#random.pick(wanted.length > 0 ? wanted : actions)[1]();
      this.#obedience.progress();
      const idle = this.#random.oneIn(4) ? this.#random.below(3) : 0;
      await new Promise((resolve) => (idle > 0 ? setTimeout(resolve, idle) : setImmediate(resolve)));
    }
    this.#leave();
  }

  async #read(): Promise<void> {
    const buffer = this.#random.pick(this.#buffers);
    const access = await this.#obedience.within("block", () => this.#access(buffer, "read"));
    if (access === undefined) return;
    const version = this.#obedience.within("read", () => checkPattern(access.bytes, this.#step, this.#isDead));
    this.#obedience.within("block", () => access[Symbol.dispose]());
    this.#count(version === undefined ? "torn" : "reads");
  }

  async #write(): Promise<void> {
    const buffer = this.#random.pick(this.#buffers);
    const access = await this.#obedience.within("block", () => this.#access(buffer, "write"));
    if (access === undefined) return;
    checkPattern(access.bytes, () => {}, this.#isDead);
    this.#obedience.within("write", () => this.#fill(access.bytes));
    this.#obedience.within("block", () => access[Symbol.dispose]());
    this.#count("writes");
  }

  #access(buffer: DmaBuf, mode: "read" | "write"): Promise<CpuAccess> | CpuAccess | undefined {
    const how = this.#random.below(3);
    if (how === 0) return buffer.access(mode);
    return how === 1 ? buffer.accessSync(mode) : buffer.tryAccess(mode);
  }

  /** Locks some buffers, adds a fence to them, opens them again, and signals the fence. */
  async #lock(): Promise<void> {
    const indices = this.#random.shuffle([...this.#buffers.keys()]).slice(0, 1 + this.#random.below(5));
    const chosen = indices.map((index) => this.#buffers[index]!);
    const context = await this.#obedience.within("lock", () => this.#lockAll(chosen));
    const me = agentOf(this.#domain).identity;
    for (const index of indices) {
      const owner = this.#owners[index]!;
      assert.ok(owner === 0 || this.#isDead(owner), `buffer ${index} is locked by ${owner} and by ${me}`);
      this.#owners[index] = me;
    }
    const { fence, signal } = this.#random.oneIn(3) ? this.#promised() : this.#counted();
    this.#obedience.within("fence", () => {
      for (const { reservation } of chosen) {
        reservation.reserveFences(1);
        reservation.addFence(fence, this.#random.pick(["kernel", "write", "read", "bookkeep"]));
      }
    });
    for (const index of indices) {
      assert.equal(this.#owners[index], me, `buffer ${index} was locked by another at the same time`);
      this.#owners[index] = 0;
    }
    this.#obedience.within("lock", () => context[Symbol.dispose]());
    await this.#obedience.within("signal", async () => signal());
    assert.equal(fence.isSignaled(), true);
    this.#count("locks");
  }

  #lockAll(buffers: readonly DmaBuf[]): Promise<AcquireContext> | AcquireContext {
    if (this.#random.oneIn(2)) return this.#domain.lockAll(buffers);
    return this.#domain.lockAllSync(buffers);
  }

  #counted(): { fence: Fence; signal: () => void } {
    const fence = this.#timeline.createFence();
    const fails = this.#random.oneIn(5);
    return {
      fence,
      signal: () => {
        if (fails) fence.setError("EIO");
        fence.signal();
      },
    };
  }

  #promised(): { fence: Fence; signal: () => Promise<unknown> } {
    let settle = (): void => {};
    const fence = this.#domain.fenceFrom(new Promise<void>((resolve) => (settle = resolve)));
    return {
      fence,
      signal: () => {
        settle();
        return fence.wait();
      },
    };
  }

  async #wait(): Promise<void> {
    if (this.#obedience.isWanted("wait")) {
      this.#obedience.sayStopped();
      if (this.#random.oneIn(2)) this.#never.waitSync();
      await this.#never.wait();
    }
    const { reservation } = this.#random.pick(this.#buffers);
    await waitForSomeUsage(reservation, this.#random);
  }

  /** Takes and gives back slots of all kinds. */
  #claim(): Promise<void> | void {
    return this.#obedience.within("claim", () => claimSomething(this.#domain, this.#random));
  }

  /** Sends a new buffer away, and keeps nothing of it. What terminated workers were sent holds its buffers up to their limit. */
  #send(): void {
    void this.#tolerate(["ENOSPC"], () => {
      using buffer = this.#domain.allocate(BUFFER_BYTES, { name: "sent" });
      const version = this.#fill(buffer.tryAccess("write")!.bytes);
      say({ buffer: buffer.handle("read"), version });
    });
  }

  /** Takes what another worker has sent; if there is nothing, the oldest handle of all once more. */
  async #receive(): Promise<void> {
    const first = this.#inbox[0];
    const message = first === "finish" ? undefined : first;
    if (message !== undefined) this.#inbox.shift();
    if (message !== undefined && "stream" in message) return this.#consume(message.stream);
    await this.#tolerate(["ESTALE"], () => {
      const handle = message?.buffer ?? details.buffers[0]!;
      const received = this.#obedience.within("import", () => this.#domain.import(handle));
      const seen = this.#obedience.within("import", () => {
        using access = received.accessSync("read");
        return checkPattern(access.bytes, this.#step, this.#isDead);
      });
      if (message !== undefined) assert.equal(seen, message.version);
      this.#obedience.within("import", () => received.close());
      this.#count("imports");
    });
  }

  #publish(): void {
    void this.#tolerate(["ETIMEDOUT"], () => {
      const loan = this.#obedience.within("publish", () => this.#own.loanSync({ timeout: 0 }))!;
      const version = this.#obedience.within("fill", () => this.#fill(loan.bytes));
      this.#obedience.within("publish", () => loan.publish({ data: version }));
      this.#count("published");
    });
  }

  #consume(handle: StreamHandleData): void {
    if (this.#consumed.length >= 3) return;
    void this.#tolerate(["ESTALE"], () => {
      this.#obedience.within("import", () => {
        const stream = this.#domain.import(handle);
        const policy = this.#random.pick(["block", "drop-oldest", "newest"] as const);
        this.#consumed.push({ stream, consumer: stream.frames({ policy }), last: undefined });
      });
    });
  }

  async #take(): Promise<void> {
    if (this.#held.length > this.#random.below(2)) {
      this.#obedience.within("take", () => this.#held.shift()![Symbol.dispose]());
    }
    const consumed = this.#random.pick(this.#consumed);
    const ended = await this.#tolerate(["ETIMEDOUT", "ESRCH"], async () => {
      const timeout = this.#random.below(3);
      const take = (): Promise<Frame | undefined> | Frame | undefined =>
        this.#random.oneIn(2) ? consumed.consumer.nextSync({ timeout }) : consumed.consumer.next({ timeout });
      const frame = await this.#obedience.within("take", take);
      if (frame === undefined) return;
      this.#held.push(frame);
      this.#obedience.within("frame", () => this.#checkFrame(consumed, frame));
      this.#count("frames");
    });
    if (ended === "ESRCH") {
      consumed.stream.close();
      this.#consumed.splice(this.#consumed.indexOf(consumed), 1);
    }
  }

  #checkFrame(consumed: Consumed, frame: Frame): void {
    const version = checkPattern(frame.bytes, this.#step, () => false);
    assert.equal(version, frame.data, `frame ${frame.sequence} has the bytes of another`);
    const { last, consumer } = consumed;
    if (consumer.policy === "block") assert.equal(consumer.missed, 0, `at frame ${frame.sequence}`);
    if (last !== undefined) assert.ok(frame.sequence > last, `frame ${frame.sequence} came after ${last}`);
    consumed.last = frame.sequence;
  }

  #leave(): void {
    this.#obedience.within("leave", () => this.#domain.close());
    say("left");
    parentPort!.close();
  }

  #fill(bytes: Uint8Array): number {
    const version = this.#random.below(2 ** 31);
    writePattern(bytes, version, agentOf(this.#domain).identity, this.#step);
    return version;
  }

  readonly #step = (): void => this.#obedience.step();

  readonly #isDead = (identity: number): boolean => !isLive(agentOf(this.#domain), identity);

  #count(deed: (typeof DEEDS)[number]): void {
    this.#deeds.add(DEEDS.indexOf(deed), 1);
  }

  /** Runs what may fail with one of these codes; returns the code it has failed with. */
  async #tolerate(codes: ErrorCode[], run: () => Promise<void> | void): Promise<ErrorCode | undefined> {
    try {
      await run();
      return undefined;
    } catch (error) {
      const { code } = error as DmaBufError;
      if (!codes.includes(code)) throw error;
      if (code === "ESTALE") this.#count("stale");
      return code;
    }
  }
}

interface Consumed {
  readonly stream: FrameStream;
  readonly consumer: Consumer;
  last: number | undefined;
}

function say(message: unknown): void {
  parentPort!.postMessage(message);
}

await new StressWorker().run();
