import type { Agent } from "../domain/agent.js";
import { agentName } from "../domain/agent-slot.js";
import { placeIn } from "../host/program-place.js";
import { stackHere } from "../host/stack.js";
import type { CopyLog, CopyReason } from "../domain/copying.js";
import { claimCopy, storeCopies, storedCopies, type CopyEntry } from "./copy-slot.js";

/** Bytes of buffers that the library has copied in one agent, for one reason. */
export interface CopyRecord {
  /** The agent's name. */
  readonly agent: string;
  /** For which call. */
  readonly why: CopyReason;
  /** Where in the program, if the agent has the option "debug" or `DMABUF_DEBUG=1`. */
  readonly place?: string;
  /** How many bytes, all together. */
  readonly bytes: number;
  /** How often. A copy of bytes in several pieces counts once for each. */
  readonly times: number;
}

/** One agent's account of what it has copied. */
export class CopyLedger implements CopyLog {
  readonly #agent: Agent;
  readonly #copied = new Map<string, Copied>();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  add(why: CopyReason, bytes: number): void {
    const place = this.#agent.options.debug ? placeIn(stackHere()) : "";
    const key = place === "" ? why : `${why} ${place}`;
    const known = this.#copied.get(key);
    if (known !== undefined) return this.#addTo(known, bytes);
    const entry = { why, place, bytes, times: 1 };
    const slot = this.#agent.closed ? undefined : claimCopy(this.#agent, entry);
    this.#copied.set(key, { ...entry, slot });
  }

  /** What all agents have copied; of the others as far as the table has room for it. */
  records(): CopyRecord[] {
    const { identity } = this.#agent;
    const own = [...this.#copied.values()].map((copied) => ({ ...copied, owner: identity }));
    const others = storedCopies(this.#agent).filter(({ owner }) => owner !== identity);
    return [...own, ...others].map((entry) => this.#recordOf(entry));
  }

  #addTo(copied: Copied, bytes: number): void {
    copied.bytes += bytes;
    copied.times += 1;
    if (copied.slot !== undefined && !this.#agent.closed)
      storeCopies(this.#agent, copied.slot, copied.bytes, copied.times);
  }

  #recordOf({ owner, why, place, bytes, times }: CopyEntry): CopyRecord {
    return { agent: agentName(this.#agent, owner), why, ...(place !== "" && { place }), bytes, times };
  }
}

interface Copied {
  readonly why: CopyReason;
  readonly place: string;
  bytes: number;
  times: number;
  readonly slot: number | undefined;
}
