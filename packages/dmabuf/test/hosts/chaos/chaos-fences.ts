/**
 * Fences between two hosts, while the processes, the network and the broker are struck. What must hold:
 *
 * chaos-fences.1. Each fence of another host ends, by its limit, in a process that lives.
 * chaos-fences.2. It ends as its owner has ended it, or with what the documents say of a host that is lost or late. One that its
 *      owner never signals without an error is never told as signaled.
 * chaos-fences.3. While no host is lost, a fence that was signaled before its handle was sent is told as signaled.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Party } from "dmabuf-host-lab";
import type { ErrorCode } from "../../../src/errors.js";
import type { RemoteFenceHandle } from "../../../src/hosts/index.js";
import type { Sharing, Told } from "../host-party.js";
import type { PartyName } from "./plan.js";

/** Which processes share fences, and which ones wait for them: an agent and a member of each host do both. */
const PAIRS: readonly (readonly [owner: PartyName, waiter: PartyName])[] = [
  ["producer", "consumer 0"],
  ["agent a", "consumer 1"],
  ["consumer 2", "agent a"],
  ["agent b", "producer"],
];

/** Milliseconds. */
const LIMIT = 1_000;
const LATE = 3 * LIMIT;
const CALM_LIMIT = 60_000;
const PAUSE = 20;

/** In turn. The last one ends here before it does there. */
const SHARINGS: readonly Sharing[] = [
  { after: 0 },
  { after: 100, error: "EIO" },
  { after: 100 },
  { after: LATE, error: "EIO" },
];

/** What else a fence of another host may end with: see docs/hosts.md. */
const MAY_COME: readonly (string | undefined)[] = ["ETIMEDOUT", "ESRCH", "ESTALE"] satisfies ErrorCode[];

export class ChaosFences {
  readonly #partyOf: (name: PartyName) => Party;
  /** By what they have ended with. */
  readonly #ended: Record<string, number> = {};
  #isOver = false;
  #losses = 0;

  /** @param partyOf The process that has the name now. */
  constructor(partyOf: (name: PartyName) => Party) {
    this.#partyOf = partyOf;
  }

  /** How many have ended, by what with. */
  get ended(): Readonly<Record<string, number>> {
    return this.#ended;
  }

  /** An agent has told that a host is lost. */
  hostLost(): void {
    this.#losses++;
  }

  /** Shares fences, and waits for them, until {@link stop} is called. */
  async run(): Promise<void> {
    const keepOn = async (pair: (typeof PAIRS)[number]): Promise<void> => {
      for (let n = 0; !this.#isOver; n++) {
        await this.#tryOne(pair, SHARINGS[n % SHARINGS.length]!, LIMIT);
        await sleep(PAUSE);
      }
    };
    await Promise.all(PAIRS.map(keepOn));
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Nothing is struck: all fences signal, unless a host was lost without that. */
  async checkCalm(): Promise<void> {
    for (; ; await sleep(PAUSE)) {
      const before = this.#losses;
      if (!(await this.#areAllThere())) continue;
      const told = await Promise.all(PAIRS.map((pair) => this.#tryOne(pair, { after: 0 }, CALM_LIMIT)));
      if (told.every((one) => one?.status === 1)) return;
      // Its news come before what is asked now.
      await this.#areAllThere();
      if (this.#losses === before) throw new Error(`chaos-fences.3: no host was lost, and ${JSON.stringify(told)}`);
    }
  }

  async #areAllThere(): Promise<boolean> {
    const agents = [this.#partyOf("agent a"), this.#partyOf("agent b")];
    const lists = await Promise.all(agents.map((agent) => agent.ask<unknown[]>("list")));
    return lists.every(({ length }) => length === 1);
  }

  /** @returns How it has ended; `undefined` if one of the two was killed, or has had no agent. */
  async #tryOne([owner, waiter]: (typeof PAIRS)[number], sharing: Sharing, limit: number): Promise<Told | undefined> {
    const handle = await askLiving<RemoteFenceHandle>(this.#partyOf(owner), "share", sharing);
    const told = handle && (await askLiving<Told>(this.#partyOf(waiter), "waitFor", { handle, limit }));
    if (!told) return undefined;
    const { status, code } = told;
    const what = `the fence of ${owner}, ${JSON.stringify(sharing)}, for ${waiter}`;
    if (status === 0) throw new Error(`chaos-fences.1: ${what} does not end`);
    const isAsThere = sharing.error === undefined ? status === 1 : code === sharing.error;
    if (!isAsThere && !MAY_COME.includes(code)) {
      throw new Error(`chaos-fences.2: ${what} was told as ${code ?? "signaled"}`);
    }
    const end = code ?? "signaled";
    this.#ended[end] = (this.#ended[end] ?? 0) + 1;
    return told;
  }
}

/** @returns `undefined` if it was killed, or has nothing to answer. */
async function askLiving<Answer>(party: Party, order: string, body: unknown): Promise<Answer | undefined> {
  try {
    return (await party.ask<Answer | null>(order, body)) ?? undefined;
  } catch (error) {
    if (party.hasEnded) return undefined;
    throw error;
  }
}
