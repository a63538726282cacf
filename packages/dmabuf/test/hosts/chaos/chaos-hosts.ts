/**
 * A stream from one host to another, whose processes are killed and stopped, and whose network and broker break, at random moments of
 * a plan that a seed repeats. What must hold:
 *
 * chaos-hosts.1. Each consumer's frames are as `frames.ts` says: none is torn, none comes twice, and what is missed is counted.
 * chaos-hosts.2. No consumer waits without end: after the last blow all of them get frames again, and then the stream's end.
 * chaos-hosts.3. When all have left, nothing is in use in either domain but what the one has that keeps it.
 * chaos-hosts.4. The same seed gives the same plan.
 *
 * Fences go between the hosts as well, of which `chaos-fences.ts` says what must hold.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Lab, Party, startNats, type LabHost, type NatsServer } from "dmabuf-host-lab";
import type { Consumed } from "../host-party.js";
import { planting, type PlantedName } from "../planted.js";
import { ChaosFences } from "./chaos-fences.js";
import { describeBlow, makePlan, PARTIES, ROUND, type Blow, type PartyName } from "./plan.js";

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  /** All processes have it. */
  readonly fault?: PlantedName | undefined;
  /** Ends the blows once so many frames were published, and the plan's first round is over. Default: after the seconds alone. */
  readonly frames?: number;
  /** Called with each blow. */
  readonly progress?: (line: string) => void;
}

export interface ChaosResult {
  readonly published: number;
  /** The frames that consumers have had. */
  readonly consumed: number;
  readonly blows: Readonly<Record<string, number>>;
  /** The fences that one host has waited for, and the other one has had, by what they have ended with there. */
  readonly fences: Readonly<Record<string, number>>;
  /** By consumer; one that was killed begins anew. */
  readonly consumers: readonly Consumed[];
  /** The blows that came before the frames were enough. */
  readonly seconds: number;
}

const PROGRAM = new URL("../host-party.js", import.meta.url);
const PLACE = "@chaos";
const PORT = 7_400;
const KEY = "what both hosts of the chaos know";
const NAME = "camera";
/** Two pages: more than one packet. */
const BYTES = 8_192;
/** Milliseconds. */
const EVERY = 1;
const HOST_LIMIT = 1_000;
/** Milliseconds for anything that must happen on a machine that is ten times slower. */
const PATIENCE = 90_000;
/** Frames of each consumer, after the last blow. */
const ENOUGH = 50;

const POLICIES = { "consumer 0": "block", "consumer 1": "newest", "consumer 2": "drop-oldest" } as const;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  using lab = Lab.create(3);
  using broker = await startNats(lab.hosts[2]);
  const run = new ChaosRun(options, lab, broker);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #hosts: readonly LabHost[];
  readonly #broker: NatsServer;
  readonly #keepers: Party[] = [];
  readonly #parties = new Map<PartyName, Party>();
  readonly #blows: Record<string, number> = {};
  /** What is to be undone, and will be. */
  readonly #undoing = new Set<Promise<void>>();
  /** Those that are being replaced. */
  readonly #replaced = new Set<PartyName>();
  readonly #consumers: Consumed[] = [];
  readonly #fences = new ChaosFences((name) => this.#parties.get(name)!);
  #epoch = 0;
  #published = 0;
  #consumed = 0;
  #failure: Error | undefined;
  #ended = 0;

  constructor(options: ChaosOptions, lab: Lab, broker: NatsServer) {
    this.#options = options;
    this.#hosts = lab.hosts;
    this.#broker = broker;
  }

  async run(): Promise<ChaosResult> {
    const { seed, seconds, frames = Infinity, progress } = this.#options;
    for (const host of this.#hosts.slice(0, 2)) {
      const keeper = this.#begin(host);
      this.#keepers.push(keeper);
      await keeper.ask("listen", PLACE);
    }
    await this.#inTime(Promise.all(PARTIES.map((name) => this.#start(name))), "all to begin");
    await this.#inTime(this.#fences.checkCalm(), "fences before the first blow (chaos-fences.3)");
    const sharing = this.#fences.run().catch((error: unknown) => this.#fail((error as Error).message));
    const begin = performance.now();
    for (const [index, blow] of makePlan(seed, seconds).entries()) {
      await this.#until(() => performance.now() - begin >= blow.at, Infinity, "the next blow");
      if (index >= ROUND && this.#published >= frames) break;
      progress?.(describeBlow(blow));
      this.#blows[blow.kind] = (this.#blows[blow.kind] ?? 0) + 1;
      await this.#strike(blow);
    }
    const took = (performance.now() - begin) / 1_000;
    await this.#inTime(Promise.all(this.#undoing), "all to be undone");
    this.#fences.stop();
    await this.#inTime(sharing, "all fences to end (chaos-fences.1)");
    await this.#inTime(this.#fences.checkCalm(), "fences after the last blow (chaos-fences.3)");
    if (frames < Infinity) await this.#publishedAll(frames);
    await this.#settle();
    await this.#checkNothingIsLeft();
    return {
      published: this.#published,
      consumed: this.#consumed,
      blows: this.#blows,
      fences: this.#fences.ended,
      consumers: this.#consumers,
      seconds: took,
    };
  }

  async end(): Promise<void> {
    this.#fences.stop();
    await Promise.all([...this.#keepers, ...this.#parties.values()].map((party) => party.kill()));
  }

  /** What is left of the frames, after the last blow. It may take long, but goes on. */
  async #publishedAll(frames: number): Promise<void> {
    while (this.#published < frames) {
      const before = this.#published;
      await this.#until(() => this.#published > before, PATIENCE, "the next frame (chaos-hosts.2)");
    }
  }

  #begin(host: LabHost): Party {
    const party = new Party(PROGRAM, { host, ...planting(this.#options.fault) });
    party.onNews((news, body) => {
      if (news === "failed") this.#fail(String(body));
      if (news === "published") this.#published += 20;
      if (news === "consumed") this.#consumed += 20;
      if (news === "ended") this.#ended++;
      if (news === "lost") this.#fences.hostLost();
    });
    return party;
  }

  async #start(name: PartyName): Promise<void> {
    const index = name === "producer" || name === "agent a" ? 0 : 1;
    const host = this.#hosts[index]!;
    const party = this.#begin(host);
    this.#parties.set(name, party);
    party.child.on("exit", (code, signal) => {
      const isCurrent = this.#parties.get(name) === party && !this.#replaced.has(name);
      if (isCurrent) this.#fail(`${name} has ended with ${code ?? signal}`);
    });
    try {
      await party.ask("connect", PLACE);
      await this.#employ(name, party, host);
    } catch (error) {
      // It was struck again before it had begun.
      if (this.#parties.get(name) === party && !party.hasEnded) throw error;
    }
  }

  async #employ(name: PartyName, party: Party, host: LabHost): Promise<void> {
    if (name === "producer") {
      await party.ask("produce", { name: NAME, bytes: BYTES, epoch: ++this.#epoch, every: EVERY });
    } else if (name.startsWith("agent")) {
      const shared = { name: host.name, bind: host.address, servers: [this.#broker.url], hostLimit: HOST_LIMIT };
      // By the broker alone, or also by addresses that they know.
      const peers = this.#hosts.slice(0, 2).map(({ address }) => `${address}:${PORT}`);
      const options = this.#options.seed % 2 === 0 ? shared : { ...shared, port: PORT, peers, key: KEY };
      // The broker may be away just now.
      for (let isThere = false; !isThere && !party.hasEnded;) {
        isThere = await party.ask("join", options).then(
          () => true,
          () => false,
        );
        if (!isThere) await sleep(100);
      }
      if (name === "agent b") party.ask("want", { name: NAME, policy: "block" }).catch(() => {});
    } else {
      await party.ask("consume", { name: NAME, policy: POLICIES[name as keyof typeof POLICIES] });
    }
  }

  async #strike(blow: Blow): Promise<void> {
    switch (blow.kind) {
      case "kill":
        return this.#replace(blow.party);
      case "stop": {
        const party = this.#parties.get(blow.party)!;
        party.child.kill("SIGSTOP");
        return this.#later(blow.ms, () => party.goOn());
      }
      case "cut": {
        const host = this.#hosts[blow.host]!;
        host.cable(false);
        return this.#later(blow.ms, () => host.cable(true));
      }
      case "lose": {
        const host = this.#hosts[blow.host]!;
        host.lose(blow.perMille);
        return this.#later(blow.ms, () => host.lose(0));
      }
      case "slow": {
        const host = this.#hosts[blow.host]!;
        host.rate(blow.mbits);
        return this.#later(blow.ms, () => host.rate());
      }
      case "reset": {
        const host = this.#hosts[blow.host]!;
        host.reset(true);
        return this.#later(blow.ms, () => host.reset(false));
      }
      case "kill broker":
        await this.#broker.kill();
        return this.#later(blow.ms, () => this.#broker.start());
      case "stop broker": {
        if (!this.#broker.isRunning) return;
        this.#broker.stop();
        return this.#later(blow.ms, () => this.#broker.isRunning && this.#broker.goOn());
      }
    }
  }

  /** Kills a process; another one takes its place. */
  async #replace(name: PartyName): Promise<void> {
    if (this.#replaced.has(name)) return;
    this.#replaced.add(name);
    await this.#parties.get(name)!.kill();
    const started = this.#start(name).finally(() => this.#replaced.delete(name));
    this.#keep(started);
  }

  #later(ms: number, undo: () => unknown): void {
    this.#keep(sleep(ms).then(async () => void (await undo())));
  }

  #keep(done: Promise<void>): void {
    const kept = done
      .catch((error: unknown) => this.#fail(`${String((error as Error).stack)}`))
      .finally(() => this.#undoing.delete(kept));
    this.#undoing.add(kept);
  }

  /** chaos-hosts.2. */
  async #settle(): Promise<void> {
    const consumers = this.#allConsumers();
    const before = await Promise.all(consumers.map((party) => this.#frames(party)));
    for (const [index, party] of consumers.entries()) {
      const enough = async (): Promise<boolean> => (await this.#frames(party)) >= before[index]! + ENOUGH;
      await this.#until(enough, PATIENCE, `consumer ${index} to get frames again (chaos-hosts.2)`);
    }
    await this.#parties.get("producer")!.ask("end");
    await this.#until(() => this.#ended === consumers.length, PATIENCE, "the stream's end at all (chaos-hosts.2)");
    for (const party of consumers) this.#consumers.push(await this.#inTime(party.ask<Consumed>("consumed"), "counts"));
  }

  #allConsumers(): Party[] {
    return PARTIES.filter((name) => name.startsWith("consumer")).map((name) => this.#parties.get(name)!);
  }

  async #frames(party: Party): Promise<number> {
    return (await this.#inTime(party.ask<Consumed>("consumed"), "a count")).frames;
  }

  /** chaos-hosts.3. */
  async #checkNothingIsLeft(): Promise<void> {
    for (const name of PARTIES) this.#replaced.add(name);
    for (const name of [...PARTIES].reverse()) {
      const party = this.#parties.get(name)!;
      party.ask("leave").catch(() => {});
      await this.#until(() => party.hasEnded, PATIENCE, `${name} to leave`);
    }
    for (const keeper of this.#keepers) {
      const isEmpty = async (): Promise<boolean> => (await this.#stateOf(keeper)).length === 1;
      await this.#until(isEmpty, PATIENCE, "all slots to be free (chaos-hosts.3)");
    }
  }

  async #stateOf(keeper: Party): Promise<string[]> {
    return this.#inTime(keeper.ask<string[]>("state"), "the state of a domain");
  }

  async #inTime<Result>(done: Promise<Result>, what: string): Promise<Result> {
    let result: { readonly is: Result } | undefined;
    let error: unknown;
    done.then(
      (is) => (result = { is }),
      (reason: unknown) => (error = reason ?? new Error("failed")),
    );
    await this.#until(() => result !== undefined || error !== undefined, PATIENCE, what);
    if (error !== undefined) throw error as Error;
    return result!.is;
  }

  /** Waits for something, and for a failure of any process. */
  async #until(ready: () => boolean | Promise<boolean>, limit: number, what: string): Promise<void> {
    for (const end = performance.now() + limit; !(await ready()); await sleep(5)) {
      if (performance.now() > end) this.#fail(`waited ${limit} ms for ${what}\n${await this.#dump()}`);
      if (this.#failure !== undefined) throw this.#failure;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(what: string): void {
    this.#failure ??= new Error(`seed ${this.#options.seed}: ${what}`);
  }

  async #dump(): Promise<string> {
    const answers = this.#keepers.map(async (keeper) => {
      const state = await Promise.race([keeper.ask<string[]>("state"), sleep(5_000).then(() => ["no answer"])]);
      return state.join("\n");
    });
    const states = await Promise.all(answers);
    const news = [...this.#parties].map(([name, party]) => `${name}: ${JSON.stringify(party.news.slice(-6))}`);
    return [...states, ...news].join("\n");
  }
}
