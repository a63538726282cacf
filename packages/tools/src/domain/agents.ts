import type { DomainSnapshot, SnapshotAgent } from "dmabuf/node";
import { paint, printable } from "../terminal/words.js";

/** An agent as `--json` has it: "gone" is one that has left since. */
export interface AgentData {
  readonly identity: number;
  readonly name: string;
  readonly process?: number;
  readonly state: SnapshotAgent["state"] | "gone";
}

/** What the object of each `--json` begins with, where it is of one moment of a domain. */
export function momentData({ domain, at, wallClock }: DomainSnapshot) {
  return { version: 1, domain, at, wallClock };
}

/** The agents of a snapshot, by the identities that its other parts name them by. */
export class Agents {
  readonly #byIdentity: ReadonlyMap<number, SnapshotAgent>;

  constructor({ agents }: DomainSnapshot) {
    this.#byIdentity = new Map(agents.map((agent) => [agent.identity, agent]));
  }

  /** For programs. */
  data(identity: number): AgentData {
    const agent = this.#byIdentity.get(identity);
    if (agent === undefined) return { identity, name: "", state: "gone" };
    const { name, process, state } = agent;
    return { identity, name, ...(process !== undefined && { process }), state };
  }

  /** For people: its name, and what is wrong with it. */
  text(identity: number | undefined): string {
    if (identity === undefined || identity === 0) return "-";
    return agentText(this.data(identity));
  }

  /** For people, several. */
  texts(identities: readonly number[]): string {
    return identities.length === 0 ? "-" : identities.map((identity) => this.text(identity)).join(", ");
  }
}

/** Whether no agent lives any more. What they have left is still there. */
export function hasEnded({ agents }: DomainSnapshot): boolean {
  return agents.every(({ state }) => state === "dead");
}

/** What is said of a domain then. */
export function endedText(domain: string): string {
  return paint("red", `Domain ${domain} has ended: no agent lives any more.`);
}

/** The name of an agent, its process, and what is wrong with it. */
export function agentText({ name, process, state }: AgentData): string {
  const named = name === "" ? "(unnamed)" : printable(name);
  const facts = [...(process === undefined ? [] : [String(process)]), ...(state === "live" ? [] : [state])];
  const text = facts.length === 0 ? named : `${named} (${facts.join(", ")})`;
  if (state === "live") return text;
  return paint(state === "stopped" ? "yellow" : "red", text);
}
