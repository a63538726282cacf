import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, readlinkSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { LAYOUT_VERSION } from "../../src/domain/layout.js";
import { endOf } from "../../src/stream/frame-stream.js";
import { DmaBufError, imageFormat, type DmaBuf, type FrameStream, type StreamHandleData } from "../../src/index.js";
import { descriptorsOf, type DomainFiles } from "../../src/node/joining/domain-files.js";
import { ProcessDomain, StreamContributor, StreamViewer } from "../../src/node/index.js";
import { closeDescriptor } from "../../src/node/system-calls/index.js";
import { until } from "../agents.js";
import { connectBare } from "../strangers.js";
import { Random } from "../random.js";
import { HostileListener, HostileMember, say } from "./attacker.js";
import { mutated, mutatedText } from "./mutation.js";
import { oddDescriptors } from "./odd-descriptors.js";

/** Cases between two looks at whether the honest ones are unharmed. */
export const CASES_PER_LOOK = 50;

/** Milliseconds for a joiner or a viewer to give up: most are told nothing that they could use. */
const TIMEOUT = 3;

const FORMAT = imageFormat("NV12", 16, 16);

/**
 * A domain with honest members and an honest viewer, beside which an attacker sends damaged messages at every place
 * where one can be sent. A seed repeats the cases.
 */
export class MessageFuzzer {
  readonly #seed: number;
  readonly #place = `@dmabuf fuzz ${randomUUID()}`;
  readonly #showPlace = `@dmabuf fuzz ${randomUUID()}`;
  readonly #fillPlace = `@dmabuf fuzz ${randomUUID()}`;
  readonly #host = ProcessDomain.listen(this.#place, { agents: 6, buffers: 32, streams: 4 });
  /** Another domain's, with which the hostile listener baits. */
  readonly #decoy = ProcessDomain.listen(`${this.#place} decoy`, { agents: 3 });
  readonly #listener = new HostileListener(`dmabuf fuzz ${randomUUID()}`);
  readonly #odd = Object.values(oddDescriptors());
  readonly #stream: FrameStream;
  readonly #filled: FrameStream;
  #member!: ProcessDomain;
  #viewer!: StreamViewer;
  #contributor!: StreamContributor;
  #attacker!: HostileMember;
  #decoyFiles!: DomainFiles;
  #bait!: DmaBuf;
  #baitThere!: DmaBuf;
  #open: readonly string[] = [];
  readonly #lingering: number[] = [];

  private constructor(seed: number) {
    this.#seed = seed;
    this.#stream = this.#host.createStream({ name: "shown", format: FORMAT, buffers: 5, dataBytes: 64 });
    this.#host.serveViewers(this.#showPlace, this.#stream, { viewers: 4 });
    this.#filled = this.#host.createStream({ name: "filled", format: FORMAT, buffers: 8, dataBytes: 64 });
    this.#host.serveContributors(this.#fillPlace, this.#filled, { contributors: 5 });
  }

  static async create(seed: number): Promise<MessageFuzzer> {
    const fuzzer = new MessageFuzzer(seed);
    await fuzzer.#settle();
    return fuzzer;
  }

  async #settle(): Promise<void> {
    this.#member = await ProcessDomain.connect(this.#place, { name: "honest" });
    this.#viewer = await StreamViewer.connect(this.#showPlace);
    this.#contributor = await StreamContributor.connect(this.#fillPlace);
    this.#attacker = await HostileMember.enter(this.#place);
    const decoy = await HostileMember.enter(`${this.#place} decoy`);
    this.#decoyFiles = decoy.files;
    // Held for good: all of them are in this thread, and an agent that blocks for memory that is gone gets no answer.
    for (const { holder } of endOf(this.#stream).buffers) this.#member.import(holder!.handle("read-write"));
    this.#layBait();
    await this.look();
    this.#open = openFiles();
  }

  /** @returns What the library does that it may not; nothing if it copes. */
  async run(index: number): Promise<string | undefined> {
    const random = new Random(Math.imul(this.#seed, 0x9e37_79b1) + index);
    const attack = random.pick([
      this.#apply,
      this.#applyAsGuest,
      this.#applyAsContributor,
      this.#write,
      this.#write,
      this.#handOver,
      this.#handOverStream,
      this.#answerJoiner,
      this.#answerGuest,
      this.#answerContributor,
      this.#inherit,
    ]);
    try {
      await attack.call(this, random);
      return undefined;
    } catch (error) {
      if (error instanceof DmaBufError) return undefined;
      return `${attack.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    }
  }

  /** Whether the honest ones still get what they need, and nothing is left open. @throws What is wrong. */
  async look(): Promise<void> {
    for (const connection of this.#lingering.splice(0)) closeDescriptor(connection);
    this.#baitThere.close();
    this.#bait.close();
    this.#layBait();
    {
      using mine = this.#member.allocate(8192, { name: "honest" });
      using there = this.#host.import(mine.handle());
      using here = this.#host.allocate(4096);
      using back = this.#member.import(here.handle("read"));
      {
        using writing = there.tryAccess("write")!;
        writing.bytes.fill(7);
      }
      using reading = mine.tryAccess("read")!;
      assert.equal(reading.bytes[8191], 7);
      assert.equal(back.size, 4096);
    }
    const loan = (await this.#stream.loan({ timeout: 30_000 }))!;
    loan.bytes[0] = 9;
    loan.publish({ data: { honest: true } });
    using frame = (await this.#viewer.next({ signal: AbortSignal.timeout(30_000) }))!;
    assert.equal(frame.bytes[0], 9);
    await this.#fill();
    if (this.#open.length === 0) return;
    const end = performance.now() + 30_000;
    await until(() => openFiles().length <= this.#open.length || performance.now() > end);
    if (openFiles().length > this.#open.length) assert.deepEqual(openFiles(), this.#open);
  }

  /** The honest contributor's frame is what it has written. */
  async #fill(): Promise<void> {
    using consumer = this.#filled.frames({ policy: "newest" });
    using loan = (await this.#contributor.loan({ timeout: 30_000 }))!;
    loan.bytes.fill(11);
    const sequence = await loan.publish({ data: { honest: true } });
    for (;;) {
      using frame = (await consumer.next({ timeout: 30_000 }))!;
      if (frame.sequence !== sequence) continue;
      assert.ok(frame.bytes.every((byte) => byte === 11));
      return;
    }
  }

  close(): void {
    this.#viewer.close();
    this.#contributor.close();
    this.#attacker.close();
    this.#listener.close();
    this.#member.close();
    this.#decoy.close();
    this.#host.close();
    for (const descriptor of this.#odd) closeDescriptor(descriptor);
  }

  #layBait(): void {
    this.#bait = this.#host.allocate(4096, { name: "bait" });
    this.#baitThere = this.#member.import(this.#bait.handle());
  }

  /** An attacker that asks to join. */
  async #apply(random: Random): Promise<void> {
    await this.#connect(random, this.#place, [{ layout: LAYOUT_VERSION }]);
  }

  async #applyAsGuest(random: Random): Promise<void> {
    await this.#connect(random, this.#showPlace, [{ visitor: 1, as: "viewer" }, { done: true }]);
  }

  async #applyAsContributor(random: Random): Promise<void> {
    const words = [{ loan: true }, { publish: { timestamp: 1, data: [2], length: 3 } }, { drop: true }, { end: true }];
    const said = Array.from({ length: 3 }, () => random.pick(words));
    await this.#connect(random, this.#fillPlace, [{ visitor: 1, as: "contributor" }, { loan: true }, ...said]);
  }

  async #connect(random: Random, place: string, words: readonly object[]): Promise<void> {
    const connection = connectBare(place);
    this.#lingering.push(connection);
    for (const word of words) {
      const text = random.oneIn(3) ? Buffer.from(`${JSON.stringify(word)}\n`) : mutatedText(word, random);
      say(connection, text, this.#some(random));
      await turn();
      await turn();
    }
    if (random.oneIn(4)) return;
    this.#lingering.pop();
    closeDescriptor(connection);
  }

  /** A message into the mailbox of a member. */
  async #write(random: Random): Promise<void> {
    using handle = this.#bait.handle();
    const { slot, generation, version } = handle;
    const name = { slot, generation, version, mode: random.pick(["read", "read-write"]) };
    const messages = [
      { kind: "storage", ...name, isOwned: random.oneIn(2), segments: [{ offset: 0, length: 4096 }] },
      { kind: "ask for storage", ...name },
      { kind: "no storage", ...name },
      { kind: "stream", handle: { ...this.#streamHandle(), name: random.pick(["shown", "other"]) } },
      { kind: "ask for streams" },
    ];
    const to = agentOf(this.#host).identity;
    const from = random.pick([agentOf(this.#member).identity, to, 1023]);
    const descriptors = this.#some(random);
    const message = random.pick(messages);
    if ("segments" in message && random.oneIn(2)) {
      message.segments.length = 0;
      for (const _ of descriptors) message.segments.push({ offset: 0, length: 4096 });
    }
    this.#attacker.post(to, mutatedText({ to, from, message }, random), descriptors);
    await turn();
  }

  /** Handles that user code has damaged. */
  async #handOver(random: Random): Promise<void> {
    using handle = this.#bait.handle();
    this.#member.import(mutated(plain(handle), random) as typeof handle).close();
    await turn();
  }

  async #handOverStream(random: Random): Promise<void> {
    using stream = this.#member.import(mutated(this.#streamHandle(), random) as StreamHandleData);
    using consumer = stream.frames();
    consumer.nextSync({ timeout: 0 })?.[Symbol.dispose]();
    await turn();
  }

  /** A listener that is none. */
  async #answerJoiner(random: Random): Promise<void> {
    const joined = ProcessDomain.connect(this.#listener.place, { timeout: TIMEOUT });
    await this.#answer(random, [{ left: 0 }], this.#changed(random, descriptorsOf(this.#decoyFiles)), joined);
  }

  /** An attacker that offers viewers a stream that is none. */
  async #answerGuest(random: Random): Promise<void> {
    const visiting = StreamViewer.connect(this.#listener.place, { timeout: TIMEOUT });
    const lines = [
      { visitor: 1, name: "shown", format: FORMAT, buffers: 1, bytes: 4096, policy: "newest" },
      { place: 0 },
      random.oneIn(2) ? { end: true } : { place: 0 },
    ];
    const [memory] = this.#odd.slice(11);
    const looking = visiting.then(async (viewer) => {
      try {
        const frame = await viewer.next({ signal: AbortSignal.timeout(TIMEOUT) });
        void frame?.planes;
        frame?.[Symbol.dispose]();
        await viewer.next({ signal: AbortSignal.timeout(TIMEOUT) });
      } catch (error) {
        if ((error as Error).name !== "TimeoutError") throw error;
      } finally {
        viewer.close();
      }
      return viewer;
    });
    await this.#answer(random, lines, this.#changed(random, [memory!]), looking);
  }

  /** An attacker that offers contributors blanks that are none. */
  async #answerContributor(random: Random): Promise<void> {
    const visiting = StreamContributor.connect(this.#listener.place, { timeout: TIMEOUT });
    const lines = [
      { visitor: 1, name: "filled", format: FORMAT, bytes: 4096, dataBytes: 64 },
      { blank: 0 },
      random.pick([{ published: 0 }, { refused: { code: "EINVAL", message: "no" } }, { end: true }]),
    ];
    const [memory] = this.#odd.slice(11);
    const filling = visiting.then(async (contributor) => {
      try {
        using loan = await contributor.loan({ timeout: TIMEOUT });
        loan?.bytes.fill(1);
        await loan?.publish();
      } finally {
        contributor.close();
      }
      return contributor;
    });
    await this.#answer(random, lines, this.#changed(random, [memory!]), filling, 1);
  }

  /** A number that is no invitation's: one of an odd descriptor, or any. */
  async #inherit(random: Random): Promise<void> {
    const wrong = random.oneIn(2) ? random.pick(this.#odd) : random.below(2 ** 20);
    (await ProcessDomain.inherit({ descriptor: wrong, timeout: TIMEOUT })).close();
  }

  async #answer(
    random: Random,
    lines: readonly object[],
    descriptors: readonly number[],
    asked: Promise<{ close(): void }>,
    at = 0,
  ): Promise<void> {
    // Nothing of it may be unhandled while the attacker is busy.
    void asked.catch(() => {});
    const connection = this.#listener.accept()!;
    lines.forEach((line, i) => {
      const text = random.oneIn(3) ? Buffer.from(`${JSON.stringify(line)}\n`) : mutatedText(line, random);
      say(connection, text, i === at ? descriptors : random.oneIn(8) ? this.#some(random) : []);
    });
    if (random.oneIn(2)) await turn();
    closeDescriptor(connection);
    (await asked).close();
  }

  #streamHandle(): StreamHandleData {
    const handle = this.#stream.handle();
    handle.close();
    return plain(handle);
  }

  /** Descriptors that no receiver expects: mostly none, sometimes very many. */
  #some(random: Random): number[] {
    const count = random.oneIn(50) ? 253 : random.oneIn(2) ? 0 : random.below(4);
    return Array.from({ length: count }, () => random.pick(this.#odd));
  }

  #changed(random: Random, descriptors: readonly number[]): number[] {
    const changed = [...descriptors];
    const at = random.below(changed.length);
    const change = random.below(5);
    if (change === 0) changed.splice(at, 1);
    else if (change === 1) changed.splice(at, 0, random.pick(this.#odd));
    else if (change < 4) changed[at] = random.pick(this.#odd);
    return changed;
  }
}

/** The fields alone, as they arrive elsewhere. */
function plain<T>(handle: T): T {
  return structuredClone(handle);
}

/** What each descriptor of this process refers to, without the numbers. */
function openFiles(): string[] {
  const files: string[] = [];
  for (const descriptor of readdirSync("/proc/self/fd")) {
    try {
      files.push(readlinkSync(`/proc/self/fd/${descriptor}`).replace(/\d+/g, "N"));
    } catch {
      // The folder's own, closed by now.
    }
  }
  return files.sort();
}
