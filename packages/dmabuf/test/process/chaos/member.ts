/**
 * One of the processes of a chaos run: does random things with what all share until it is told otherwise, or killed.
 */
import { agentOf } from "../../../src/domain-base.js";
import assert from "node:assert/strict";
import { once, type EventEmitter } from "node:events";
import { openSync, readdirSync, writeSync } from "node:fs";
import process from "node:process";
import { parentPort } from "node:worker_threads";
import {
  rawFormat,
  type Consumer,
  type DmaBuf,
  type DmaBufError,
  type ErrorCode,
  type Fence,
  type Frame,
  type FrameStream,
  type Timeline,
} from "../../../src/index.js";
import { isLive } from "../../../src/domain/agent-slot.js";
import { ProcessDomain } from "../../../src/node/index.js";
import type { Substrate } from "../../../src/substrate/substrate.js";
import { pause } from "../../agents.js";
import { checkPattern, writePattern } from "../../pattern.js";
import { Random } from "../../random.js";
import { claimSomething, waitForSomeUsage } from "../../random-work.js";
import { attend, closeUnderLock, performFor } from "./closings.js";
import { believeInTheDead, disown, keepMembership, leakSlot, openStray, sleepThrough } from "./faults.js";
import { BUFFER_BYTES, FRAME_BYTES, type Fault, type Order, type Report, type Start } from "./orders.js";
import { STREAMS } from "./plan.js";
import { memoryHook } from "../../../src/node/joining/control-segment.js";

/** The faults of a member's memory. */
const WRAPPERS: Partial<Record<Fault, (memory: Substrate) => Substrate>> = {
  wake: sleepThrough,
  dead: believeInTheDead,
};

interface Consumed {
  readonly name: string;
  readonly stream: FrameStream;
  readonly consumer: Consumer;
  last: number | undefined;
}

class Member {
  readonly #start: Start;
  readonly #random: Random;
  readonly #domain: ProcessDomain;
  readonly #timeline: Timeline;
  readonly #diary: number;
  readonly #descriptors: number;
  readonly #orders: Order[];
  readonly #buffers = new Map<number, DmaBuf>();
  readonly #own: FrameStream | undefined;
  readonly #consumed = new Map<string, Consumed>();
  readonly #held: Frame[] = [];
  readonly #deeds: Record<string, number> = {};
  #steps = 0;

  static async join(start: Start, orders: Order[]): Promise<Member> {
    const diary = openSync(start.diary, "a");
    const descriptors = countDescriptors();
    // The member that listened may have been killed a moment ago.
    for (const end = Date.now() + 20_000; ; await pause(5)) {
      try {
        const wrap = start.fault === undefined ? undefined : WRAPPERS[start.fault];
        if (wrap !== undefined) memoryHook.wrap = wrap;
        const name = `party ${start.party}`;
        const domain = await ProcessDomain.connect(start.joinsAt, {
          name,
          timeout: 20_000,
          handleLimit: 1_000,
        });
        return new Member(start, orders, domain, diary, descriptors);
      } catch (error) {
        const { code } = error as DmaBufError;
        if (!["ECONNREFUSED", "ENOENT", "ECONNRESET"].includes(code) || Date.now() > end) throw error;
      }
    }
  }

  private constructor(start: Start, orders: Order[], domain: ProcessDomain, diary: number, descriptors: number) {
    this.#start = start;
    this.#orders = orders;
    this.#domain = domain;
    this.#diary = diary;
    this.#descriptors = descriptors;
    this.#random = new Random(start.seed);
    this.#timeline = domain.createTimeline();
    if (start.produces !== undefined) {
      this.#own = domain.createStream({ name: start.produces, format: rawFormat(FRAME_BYTES) });
    }
    if (start.fault === "slot") leakSlot(agentOf(domain));
    if (start.fault === "fence") disown(agentOf(domain));
    if (start.fault === "membership" && parentPort !== null) keepMembership();
    if (start.fault === "stray" && parentPort !== null) openStray();
    say({ report: "joined", identity: agentOf(domain).identity });
  }

  async run(): Promise<void> {
    const deeds = [this.#read, this.#write, this.#lock, this.#wait, this.#claim, this.#send, this.#take, this.#take];
    deeds.push(this.#perform, this.#attend, this.#attend, this.#close);
    if (this.#own !== undefined) deeds.push(this.#publish, this.#publish, this.#publish);
    for (;;) {
      for (let order = this.#orders.shift(); order !== undefined; order = this.#orders.shift()) {
        this.#note(order.order);
        if (order.order === "leave") return this.#leave();
        if (order.order === "hold") return this.#hold();
        if (order.order === "write all") await this.#writeAll();
        this.#obey(order);
      }
      const deed = this.#random.pick(deeds);
      await deed.call(this);
      this.#note("rest");
      const rest = this.#random.oneIn(4) ? this.#random.below(3) : 0;
      await new Promise((resolve) => (rest > 0 ? setTimeout(resolve, rest) : setImmediate(resolve)));
    }
  }

  #obey(order: Order): void {
    switch (order.order) {
      case "import":
        this.#tolerate(["ESTALE"], () => this.#exchange(order.index, this.#domain.import(order.handle)));
        break;
      case "receive":
        this.#tolerate(["ESTALE"], () => {
          using received = this.#domain.import(order.parcel);
          using access = received.accessSync("read");
          assert.equal(checkPattern(access.bytes, nothing, this.#isDead), order.version, "what was sent");
          this.#count("parcels");
        });
        break;
      case "export":
        this.#export(order.index);
        break;
      case "listen":
        this.#domain.listen(this.#start.place);
        say({ report: "listens" });
        break;
      case "exit":
        return process.exit(0);
      case "write all":
        break;
      case "hold":
      case "start":
      case "leave":
        throw new Error(`${order.order} does not come here`);
    }
  }

  #export(index: number): void {
    const buffer = this.#domain.allocate(BUFFER_BYTES, { name: `buffer ${index}` });
    this.#fill(buffer.tryAccess("write")!);
    this.#exchange(index, buffer);
    say({ report: "exported", index, handle: buffer.handle() });
  }

  #exchange(index: number, buffer: DmaBuf): void {
    this.#buffers.get(index)?.close();
    this.#buffers.set(index, buffer);
  }

  async #read(): Promise<void> {
    const buffer = this.#pickBuffer("read");
    if (buffer === undefined) return;
    using access = this.#random.oneIn(2) ? buffer.accessSync("read") : await buffer.access("read");
    const version = checkPattern(access.bytes, this.#step, this.#isDead);
    this.#count(version === undefined ? "left half-written" : "reads");
  }

  async #write(): Promise<void> {
    const buffer = this.#pickBuffer("write");
    if (buffer === undefined) return;
    using access = this.#random.oneIn(2) ? buffer.accessSync("write") : await buffer.access("write");
    checkPattern(access.bytes, nothing, this.#isDead);
    this.#fill(access);
    this.#count("writes");
  }

  /** Reads a buffer until it is killed. */
  async #hold(): Promise<void> {
    const access = await this.#pickBuffer("hold")?.access("read");
    say({ report: "done" });
    await new Promise(() => {});
    access?.[Symbol.dispose]();
  }

  async #writeAll(): Promise<void> {
    for (const buffer of this.#buffers.values()) {
      using access = await buffer.access("write");
      this.#fill(access);
    }
    say({ report: "done" });
  }

  /** Locks some buffers, adds a fence to them, opens them again, and signals the fence some time later. */
  async #lock(): Promise<void> {
    this.#note("lock");
    const all = [...this.#buffers.values()];
    const chosen = this.#random.shuffle(all).slice(0, 1 + this.#random.below(4));
    const fence = this.#timeline.createFence();
    {
      using _locks = this.#random.oneIn(2) ? await this.#domain.lockAll(chosen) : this.#domain.lockAllSync(chosen);
      for (const { reservation } of chosen) {
        reservation.reserveFences(1);
        reservation.addFence(fence, this.#random.pick(["kernel", "write", "read", "bookkeep"] as const));
      }
    }
    this.#note("work of a fence");
    await this.#work(fence);
    this.#count("locks");
  }

  async #work(fence: Fence): Promise<void> {
    if (this.#start.fault === "fence") return;
    if (this.#random.oneIn(3)) await pause(this.#random.below(10));
    if (this.#random.oneIn(5)) fence.setError("EIO");
    fence.signal();
  }

  async #wait(): Promise<void> {
    const { reservation } = this.#pickBuffer("wait") ?? {};
    if (reservation === undefined) return;
    await waitForSomeUsage(reservation, this.#random);
    this.#count("waits");
  }

  /** Takes and gives back slots of all kinds. */
  #claim(): Promise<void> | void {
    this.#note("claim");
    if (this.#start.fault === "descriptor") openSync("/dev/null", "r");
    return claimSomething(this.#domain, this.#random);
  }

  /** Sends a new buffer away, and keeps nothing of it. */
  #send(): void {
    if (!this.#random.oneIn(4)) return;
    this.#note("send");
    using buffer = this.#domain.allocate(BUFFER_BYTES, { name: "parcel" });
    const version = this.#fill(buffer.tryAccess("write")!);
    say({ report: "sent", parcel: buffer.handle("read"), version });
  }

  async #perform(): Promise<void> {
    if (!this.#random.oneIn(3)) return;
    this.#note("perform");
    if (await performFor(this.#domain, this.#random, this.#start.fault === "early")) this.#count("performances");
  }

  async #attend(): Promise<void> {
    this.#note("attend");
    if (await attend(this.#domain)) this.#count("attended");
  }

  async #close(): Promise<void> {
    const buffer = this.#pickBuffer("close");
    if (buffer === undefined) return;
    await closeUnderLock(buffer, this.#random, this.#start.fault === "lock");
    this.#count("closed under the lock");
  }

  #publish(): void {
    this.#note("publish");
    this.#tolerate(["ETIMEDOUT"], () => {
      const loan = this.#own!.loanSync({ timeout: 0 })!;
      const version = this.#random.below(2 ** 31);
      writePattern(loan.bytes, version, agentOf(this.#domain).identity, this.#step);
      loan.publish({ data: version });
      this.#count("published");
    });
  }

  async #take(): Promise<void> {
    const name = this.#random.pick(STREAMS);
    const consumed = this.#consumed.get(name) ?? (await this.#find(name));
    if (consumed === undefined) return;
    this.#note(`take from ${name}`);
    if (this.#held.length > this.#random.below(2)) this.#held.shift()![Symbol.dispose]();
    try {
      const timeout = this.#random.below(20);
      const { consumer } = consumed;
      const way = this.#random.pick(["next", "nextSync", "tryNext"] as const);
      const frame = way === "tryNext" ? consumer.tryNext() : await consumer[way]({ timeout });
      if (frame === undefined) return way === "tryNext" && !consumer.hasEnded ? undefined : this.#forget(consumed);
      this.#held.push(frame);
      this.#checkFrame(consumed, frame);
      this.#count("frames");
    } catch (error) {
      const { code } = error as DmaBufError;
      if (code === "ESRCH" || code === "ESTALE") this.#forget(consumed);
      else if (code !== "ETIMEDOUT") throw error;
    }
  }

  async #find(name: string): Promise<Consumed | undefined> {
    this.#note(`find ${name}`);
    try {
      const stream = await this.#domain.findStream(name, { timeout: 20 });
      const policy = this.#random.pick(["block", "drop-oldest", "newest"] as const);
      const consumed = { name, stream, consumer: stream.frames({ policy }), last: undefined };
      this.#consumed.set(name, consumed);
      return consumed;
    } catch (error) {
      if (!["ETIMEDOUT", "ESTALE"].includes((error as DmaBufError).code)) throw error;
      return undefined;
    }
  }

  #forget({ name, stream }: Consumed): void {
    for (const frame of this.#held.splice(0)) frame[Symbol.dispose]();
    stream.close();
    this.#consumed.delete(name);
    this.#count("streams ended");
  }

  #checkFrame(consumed: Consumed, frame: Frame): void {
    const version = checkPattern(frame.bytes, this.#step, () => false);
    assert.equal(version, frame.data, `frame ${frame.sequence} has the bytes of another`);
    const { last, consumer } = consumed;
    if (consumer.policy === "block") assert.equal(consumer.missed, 0, `at frame ${frame.sequence}`);
    if (last !== undefined) assert.ok(frame.sequence > last, `frame ${frame.sequence} came after ${last}`);
    consumed.last = frame.sequence;
  }

  /** Fills a buffer, and ends the access. @returns The version that is there now. */
  #fill(access: { readonly bytes: Uint8Array } & Disposable): number {
    const version = this.#random.below(2 ** 31);
    const { bytes } = access;
    if (this.#start.fault === "torn")
      new Int32Array(bytes.buffer, bytes.byteOffset)[0] = agentOf(this.#domain).identity;
    else writePattern(bytes, version, agentOf(this.#domain).identity, this.#step);
    access[Symbol.dispose]();
    return version;
  }

  async #leave(): Promise<void> {
    this.#domain.close();
    // Node.js closes sockets some time later.
    // Those of a thread are its process's, which counts them itself.
    const isAlone = parentPort === null;
    for (const end = Date.now() + 10_000; isAlone && countDescriptors() > this.#descriptors && Date.now() < end;)
      await pause(5);
    say({ report: "left", descriptors: isAlone ? countDescriptors() - this.#descriptors : 0, deeds: this.#deeds });
    if (parentPort === null) process.disconnect();
    else parentPort.close();
  }

  #pickBuffer(deed: string): DmaBuf | undefined {
    this.#note(deed);
    if (this.#buffers.size === 0) return undefined;
    return this.#random.pick([...this.#buffers.values()]);
  }

  #note(what: string): void {
    writeSync(this.#diary, `${++this.#steps} ${what}\n`);
  }

  #count(deed: string): void {
    this.#deeds[deed] = (this.#deeds[deed] ?? 0) + 1;
  }

  /** Something to do in the middle of an access, so that a kill or a stop finds it there. */
  readonly #step = (): void => {
    if (this.#random.oneIn(10)) writeSync(this.#diary, `${++this.#steps} in the middle\n`);
  };

  readonly #isDead = (identity: number): boolean => !isLive(agentOf(this.#domain), identity);

  #tolerate(codes: ErrorCode[], run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!codes.includes((error as DmaBufError).code)) throw error;
    }
  }
}

function say(report: Report | "ready"): void {
  if (parentPort !== null) parentPort.postMessage(report);
  else if (process.connected) process.send!(report);
}

function countDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function nothing(): void {}

say("ready");
const ears: EventEmitter = (parentPort as EventEmitter | null) ?? process;
const [{ start }] = (await once(ears, "message")) as [Extract<Order, { order: "start" }>];
const orders: Order[] = [];
ears.on("message", (order: Order) => orders.push(order));
// The one that runs all this has died.
process.on("disconnect", () => setTimeout(() => process.exit(1), 5_000).unref());
process.on("uncaughtException", (error) => {
  const report: Report = { report: "failed", reason: error.stack ?? String(error) };
  if (parentPort === null) process.send!(report, () => process.exit(1));
  else parentPort.postMessage(report);
});
const member = await Member.join(start, orders);
await member.run();
