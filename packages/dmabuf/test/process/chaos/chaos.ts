import { agentOf } from "../../../src/domain-base.js";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deadIn, isLive, slotOf, type Identity } from "../../../src/domain/agent-slot.js";
import type { DmaBuf, DmaBufError, BufferHandleData } from "../../../src/index.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { pause } from "../../agents.js";
import { checkPattern } from "../../pattern.js";
import { Random } from "../../random.js";
import { segmentState } from "../../segment-state.js";
import { Barracks } from "../process-pool.js";
import { WorkerHost, type Life } from "./worker-host.js";
import { StoppedReaper } from "../stopped-reaper.js";
import type { Fault, Order, Report, SharedBuffer } from "./orders.js";
import { orphans } from "./orphans.js";
import { BUFFER_SLOTS, describeBlow, makePlan, PARTIES, STREAMS, THREADS, type Blow } from "./plan.js";

/**
 * Processes that work on the same buffers and streams, and are killed and stopped in the middle of it. What must hold:
 *
 * chaos.1. No member sees a half-written frame, or a half-written buffer whose writer lives.
 * chaos.2. No member waits without end: one that does nothing for a long time, and is not stopped, has lost a wake-up.
 * chaos.3. A member that leaves has as many descriptors as before it joined.
 * chaos.4. When all have left, no slot is in use but what the onlooker has.
 * chaos.5. No fence is pending whose owner is gone.
 * chaos.6. The same seed gives the same plan.
 * chaos.7. A member that ends as a thread of a process that lives on is noticed as soon as a process, and leaves
 *     neither a descriptor nor a mapping there.
 * chaos.8. No member waits for what a dead one held, not even while its reaper is stopped.
 * chaos.9. The only consumer that a producer has waited for gets every frame.
 * chaos.10. A holder that is closed has no lock any more, and its wait for one has ended.
 */

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  /** What is done to them. Default: all that a plan may have. */
  readonly kinds?: readonly Blow["kind"][];
  /** How many processes there are, besides those with threads. Default 6. */
  readonly parties?: number;
  /** All members have it. */
  readonly fault?: Fault;
  /** Milliseconds for which a member may do nothing. Default 20,000. */
  readonly silence?: number;
  /** Called with each blow, and with what has been done so far. */
  readonly progress?: (line: string) => void;
}

export interface ChaosResult {
  readonly blows: Readonly<Record<string, number>>;
  /** What those have done who left by themselves. */
  readonly deeds: Readonly<Record<string, number>>;
  /** Milliseconds from each kill until nothing of the dead was left, in ascending order. */
  readonly recoveries: readonly number[];
}

interface Party {
  readonly index: number;
  readonly diary: string;
  child: Life | undefined;
  /** The process in which its members live as threads, if they do. */
  host: WorkerHost | undefined;
  identity: Identity;
  /** Until when it is stopped, in milliseconds. */
  stoppedUntil: number;
  /** Whether it has carried out what it was told to say so of. */
  done: boolean;
  /** Whether its process is to end. */
  condemned: boolean;
  read: { bytes: number; at: number };
}

/** Milliseconds for a death to be noticed and everything to be given back. */
const RECOVERY_LIMIT = 10_000;
/** More milliseconds than a handle that no member imports holds its buffer. */
const SETTLING_LIMIT = 8_000;
const VISIT_MS = 300;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const run = new ChaosRun(options);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class ChaosRun {
  readonly #options: ChaosOptions;
  /** Processes; behind them are the parties of threads. */
  readonly #processes: number;
  readonly #random: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), "dmabuf-chaos-"));
  readonly #place = join(this.#folder, "socket");
  readonly #barracks = new Barracks(new URL("member.js", import.meta.url));
  readonly #parties: Party[] = [];
  readonly #buffers = new Map<number, DmaBuf>();
  readonly #blows: Record<string, number> = {};
  readonly #deeds: Record<string, number> = {};
  readonly #recoveries: number[] = [];
  readonly #visits: Promise<void>[] = [];
  readonly #reapers = new Set<StoppedReaper>();
  readonly #domain: ProcessDomain;
  #listener: number | undefined;
  #failure: Error | undefined;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#processes = options.parties ?? PARTIES;
    this.#random = new Random(options.seed);
    this.#domain = ProcessDomain.create({ name: "onlooker", agents: 16, buffers: 512, timelines: 64, streams: 16 });
    for (let index = 0; index < this.#processes + THREADS; index++) this.#parties.push(this.#newParty(index));
  }

  async run(): Promise<ChaosResult> {
    // Only the first member comes in through this process.
    this.#domain.listen(`${this.#place}.first`);
    for (const party of this.#parties) {
      await this.#start(party);
      if (this.#listener === undefined) await this.#letListen(party);
    }
    const looks = setInterval(() => this.#look(), 500);
    try {
      await this.#handOut();
      const begin = Date.now();
      const { seed, seconds, kinds } = this.#options;
      for (const blow of makePlan(seed, seconds, kinds, this.#processes)) {
        await this.#until(() => Date.now() - begin >= blow.at, Infinity, "the next blow");
        this.#options.progress?.(describeBlow(blow));
        this.#blows[blow.kind] = (this.#blows[blow.kind] ?? 0) + 1;
        await this.#strike(blow);
      }
      await Promise.all(this.#visits);
      await this.#dismissAll();
      await this.#checkNothingIsLeft();
    } finally {
      clearInterval(looks);
    }
    const recoveries = this.#recoveries.sort((a, b) => a - b);
    return { blows: this.#blows, deeds: this.#deeds, recoveries };
  }

  async end(): Promise<void> {
    this.#barracks.close();
    for (const { host } of this.#parties) host?.close();
    for (const reaper of this.#reapers) reaper.kill();
    const children = this.#parties.map(({ child }) => child).filter((child) => child !== undefined);
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(async (child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
    this.#domain.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #newParty(index: number): Party {
    const read = { bytes: 0, at: 0 };
    const diary = join(this.#folder, `diary ${index}`);
    return {
      index,
      diary,
      child: undefined,
      host: undefined,
      identity: 0,
      stoppedUntil: 0,
      done: false,
      condemned: false,
      read,
    };
  }

  /** Starts a process as a party. Returns when it has joined. */
  async #start(party: Party): Promise<void> {
    const child = this.#isThread(party) ? await this.#moveIn(party) : await this.#barracks.take();
    party.child = child;
    party.identity = 0;
    party.condemned = false;
    party.done = true;
    party.read = { bytes: -1, at: Date.now() };
    closeSync(openSync(party.diary, "w"));
    child.on("message", (report: Report) => this.#hear(party, child, report));
    child.on("exit", (code, signal) => {
      if (party.child === child && !party.condemned)
        this.#fail(`party ${party.index} has ended with ${code ?? signal}`);
    });
    const { seed, fault } = this.#options;
    const produces = STREAMS[party.index];
    const start = {
      place: this.#place,
      joinsAt: this.#listener === undefined ? `${this.#place}.first` : this.#place,
      party: party.index,
      seed: seed ^ this.#random.below(2 ** 31),
    };
    tell(party, { order: "start", start: { ...start, diary: party.diary, produces, fault } });
    await this.#until(() => party.identity !== 0, 30_000, `party ${party.index} to join`);
    for (const [index, buffer] of this.#buffers) tell(party, { order: "import", index, handle: handleOf(buffer) });
  }

  /** Whether the party's members are threads of a process that outlives them. */
  #isThread({ index }: Party): boolean {
    return index >= this.#processes && index < this.#processes + THREADS;
  }

  async #moveIn(party: Party): Promise<Life> {
    if (party.host?.isStanding !== true) party.host = await WorkerHost.build();
    return party.host.take();
  }

  /** Has all buffers exported, each party its share. */
  async #handOut(): Promise<void> {
    for (let index = 0; index < BUFFER_SLOTS; index++)
      tell(this.#parties[index % this.#processes]!, { order: "export", index });
    await this.#until(() => this.#buffers.size === BUFFER_SLOTS, 30_000, "all buffers");
  }

  async #letListen(party: Party): Promise<void> {
    this.#listener = undefined;
    tell(party, { order: "listen" });
    await this.#until(() => this.#listener !== undefined, 30_000, `party ${party.index} to listen`);
  }

  #hear(party: Party, child: Life, report: Report): void {
    if (report.report === "failed") this.#fail(`party ${party.index} has failed: ${report.reason}`);
    if (report.report === "sent") tell(this.#random.pick(this.#parties), { ...report, order: "receive" });
    if (report.report === "exported") this.#share(party, report);
    if (report.report === "left") this.#countDeeds(party, report);
    if (party.child !== child) return;
    if (report.report === "done") party.done = true;
    if (report.report === "listens") this.#listener = party.index;
    if (report.report === "joined") party.identity = report.identity;
  }

  #share(from: Party, { index, handle }: SharedBuffer): void {
    try {
      const buffer = this.#domain.import(handle);
      this.#buffers.get(index)?.close();
      this.#buffers.set(index, buffer);
    } catch (error) {
      // It was killed right after it had sent this.
      if ((error as DmaBufError).code !== "ESTALE") this.#fail(String(error));
      else setTimeout(() => tell(this.#random.pick(this.#parties), { order: "export", index }), 100);
      return;
    }
    for (const party of this.#parties) {
      if (party !== from) tell(party, { order: "import", index, handle: handleOf(this.#buffers.get(index)!) });
    }
  }

  #countDeeds(party: Party, { descriptors, deeds }: Extract<Report, { report: "left" }>): void {
    if (descriptors > 0) this.#fail(`chaos.3: party ${party.index} has left with ${descriptors} more descriptors`);
    for (const [deed, count] of Object.entries(deeds)) this.#deeds[deed] = (this.#deeds[deed] ?? 0) + count;
  }

  async #strike(blow: Blow): Promise<void> {
    const party = this.#parties[blow.party]!;
    switch (blow.kind) {
      case "kill":
      case "terminate":
        return this.#kill(party);
      case "kill listener":
        return this.#kill(this.#parties[this.#listener!]!);
      case "stop":
        return this.#stop(party, blow.ms);
      case "stop reaper":
        return this.#reap(party, blow.step);
      case "replace":
        return tell(party, { order: "export", index: blow.buffer });
      case "visit":
        this.#visits.push(this.#visit());
        return undefined;
      case "leave":
        return this.#replace(party, () => tell(party, { order: "leave" }));
      case "exit":
        return this.#replace(party, () => tell(party, { order: "exit" }));
    }
  }

  #kill(party: Party): Promise<void> {
    return this.#replace(party, () => void party.child!.kill("SIGKILL"));
  }

  /** Has a process end; when it is gone, another one takes its party. */
  async #replace(party: Party, end: () => void, untilRecovered?: () => Promise<void>): Promise<void> {
    const wasListening = this.#listener === party.index;
    await this.#remove(party, end, untilRecovered);
    // Another member listens at the place again.
    if (wasListening) await this.#letListen(this.#parties[(party.index + 1) % this.#processes]!);
    await this.#start(party);
  }

  async #remove(party: Party, end: () => void, untilRecovered?: () => Promise<void>): Promise<void> {
    const { child, identity } = party;
    party.condemned = true;
    end();
    const hasEnded = (): boolean => child!.exitCode !== null || child!.signalCode !== null;
    await this.#until(hasEnded, 30_000, `party ${party.index} to end`);
    await untilRecovered?.();
    const gone = performance.now();
    await this.#until(
      () => this.#isRecovered(identity),
      RECOVERY_LIMIT,
      `what party ${party.index} held to be given back`,
    );
    this.#recoveries.push(performance.now() - gone);
  }

  #isRecovered(identity: Identity): boolean {
    const agent = agentOf(this.#domain);
    return !isLive(agent, identity) && deadIn(agent, slotOf(identity)) !== identity;
  }

  /** A member is killed while it reads, and who recovers it stops in the middle of that. */
  async #reap(party: Party, step: number): Promise<void> {
    const { identity, child } = party;
    const reaper = new StoppedReaper({ joinsAt: this.#place, pid: child!.pid!, identity, step });
    this.#reapers.add(reaper);
    await this.#until(() => reaper.identity !== 0, 30_000, "a reaper to join");
    await this.#carryOut([party], "hold", (index) => `party ${index} does not begin to read`);
    const untilRecovered = async (): Promise<void> => {
      const hasBegun = (): boolean => reaper.hasReaped || reaper.standsStill;
      await this.#until(hasBegun, RECOVERY_LIMIT, "a reaper");
      const others = this.#parties.filter(({ child, condemned }) => child !== undefined && !condemned);
      const waits = (index: number): string =>
        `chaos.8: party ${index} waits for what party ${party.index} held, whose reaper is stopped`;
      await this.#carryOut(others, "write all", waits);
      // It goes on, or a reaper dies, too.
      if (this.#random.oneIn(2)) reaper.goOn();
      else reaper.kill();
      const isDone = (): boolean => reaper.hasReaped || this.#isRecovered(reaper.identity);
      await this.#until(isDone, RECOVERY_LIMIT, "a reaper");
      reaper.kill();
      this.#reapers.delete(reaper);
      await this.#until(() => this.#isRecovered(reaper.identity), RECOVERY_LIMIT, "a reaper to be given back");
    };
    await this.#replace(party, () => reaper.reap(), untilRecovered);
  }

  /** Has some members do something, and waits until they have. */
  async #carryOut(
    parties: readonly Party[],
    order: "hold" | "write all",
    late: (index: number) => string,
  ): Promise<void> {
    for (const party of parties) {
      party.done = false;
      tell(party, { order });
    }
    const limit = Date.now() + (this.#options.silence ?? 60_000);
    await this.#until(() => parties.every(({ done }) => done) || Date.now() > limit, Infinity, order);
    for (const { index, done } of parties) if (!done) this.#fail(late(index));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #stop(party: Party, ms: number): void {
    const { child } = party;
    child!.kill("SIGSTOP");
    party.stoppedUntil = Date.now() + ms;
    setTimeout(() => child!.kill("SIGCONT"), ms);
  }

  /** A visitor joins for a while, and is killed. */
  async #visit(): Promise<void> {
    const party = this.#newParty(this.#parties.length);
    this.#parties.push(party);
    await this.#start(party);
    await pause(VISIT_MS);
    await this.#remove(party, () => void party.child!.kill("SIGKILL"));
    party.child = undefined;
  }

  async #dismissAll(): Promise<void> {
    await this.#until(
      () => this.#parties.every(({ stoppedUntil }) => stoppedUntil < Date.now()),
      10_000,
      "all to go on",
    );
    const present = this.#parties.filter(({ child }) => child !== undefined);
    await Promise.all(present.map((party) => this.#remove(party, () => tell(party, { order: "leave" }))));
    for (const party of present) party.child = undefined;
  }

  async #checkNothingIsLeft(): Promise<void> {
    const domain = this.#domain;
    for (const buffer of this.#buffers.values()) {
      using access = await buffer.access("write", { timeout: SETTLING_LIMIT });
      checkPattern(
        access.bytes,
        () => {},
        (writer) => !isLive(agentOf(domain), writer),
      );
    }
    for (const buffer of this.#buffers.values()) buffer.close();
    // Handles that no member imports release their buffers after their limit.
    const isEmpty = (): boolean => segmentState(agentOf(domain)).length === 1;
    await this.#until(isEmpty, SETTLING_LIMIT, "all slots to be free (chaos.4)");
    for (const { index, host } of this.#parties) if (host?.isStanding === true) await this.#checkHost(index, host);
  }

  /** chaos.7. */
  async #checkHost(index: number, host: WorkerHost): Promise<void> {
    let kept = await host.kept();
    // Node.js closes sockets some time later.
    for (const end = Date.now() + 10_000; Math.max(kept.descriptors, kept.mappings) > 0 && Date.now() < end;) {
      kept = await host.kept();
    }
    const { descriptors, mappings } = kept;
    if (Math.max(descriptors, mappings) <= 0) return;
    this.#fail(`chaos.7: the threads of party ${index} have left ${descriptors} descriptors and ${mappings} mappings`);
    throw this.#failure!;
  }

  /** chaos.2, chaos.5 */
  #look(): void {
    for (const orphan of orphans(agentOf(this.#domain))) this.#fail(`chaos.5: ${orphan}`);
    const now = Date.now();
    for (const party of this.#parties) {
      // What is to end has a limit of its own, and does nothing until another takes its party.
      if (party.child === undefined || party.identity === 0 || party.condemned) continue;
      const bytes = statSync(party.diary).size;
      // What it is told to say that it has done has a limit of its own (chaos.8).
      const isExcused = now < party.stoppedUntil + 500 || !party.done;
      if (bytes !== party.read.bytes || isExcused) party.read = { bytes, at: now };
      if (now - party.read.at > (this.#options.silence ?? 20_000)) {
        this.#fail(`chaos.2: party ${party.index} does nothing any more`);
      }
    }
  }

  /** Waits for something, and for a failure of any member. */
  async #until(ready: () => boolean, limit: number, what: string): Promise<void> {
    for (const end = Date.now() + limit; !ready(); await pause(1)) {
      if (Date.now() > end) this.#fail(`waited ${limit} ms for ${what}`);
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  #fail(what: string): void {
    this.#failure ??= new Error([`seed ${this.#options.seed}: ${what}`, ...this.#dump()].join("\n"));
  }

  /** Everything that can be seen of the run. */
  #dump(): string[] {
    const parties = this.#parties.filter(({ child }) => child !== undefined);
    const lines = parties.map(({ index, identity, diary, stoppedUntil }) => {
      const last = readFileSync(diary, "utf8").trimEnd().split("\n").slice(-3).join(", ");
      return `party ${index}, agent ${slotOf(identity)}${stoppedUntil > Date.now() ? ", stopped" : ""}: ${last}`;
    });
    return [...lines, ...segmentState(agentOf(this.#domain))];
  }
}

/** An order to a process that is gone comes to nothing. */
function tell({ child }: Party, order: Order): void {
  if (child?.connected === true) child.send(order, () => {});
}

/** The onlooker holds the buffer: the handle need not. */
function handleOf(buffer: DmaBuf): BufferHandleData {
  using handle = buffer.handle();
  return structuredClone(handle);
}
