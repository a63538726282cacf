import type { SnapshotAgent } from "dmabuf/node";
import { isSelected, selectionLink } from "../store/route.js";
import { agents, shown } from "../store/store.js";

/** Names of things, which lead to their details. */

const STATES = { live: "good", stopped: "warn", dead: "bad" } as const;

/** Whether an agent lives; the dot's colour is said in words beside it where that is not "live". */
export function AgentState({ state }: { state: SnapshotAgent["state"] }) {
  return (
    <span class={`state ${STATES[state]}`}>
      <span class="dot" aria-hidden="true" />
      {state}
    </span>
  );
}

export function AgentName({ identity }: { identity: number }) {
  const agent = agents.value.get(identity);
  if (agent === undefined) return <span class="quiet">an agent that has left</span>;
  const thing = { kind: "agent", identity } as const;
  return (
    <a class="name" href={selectionLink(thing)} aria-current={isSelected(thing) ? "true" : undefined}>
      {nameOf(agent)}
      {agent.state !== "live" && <span class={STATES[agent.state]}> ({agent.state})</span>}
    </a>
  );
}

/** Several agents; `none` where there is none. */
export function AgentNames({ identities, none = "none" }: { identities: readonly number[]; none?: string }) {
  if (identities.length === 0) return <span class="quiet">{none}</span>;
  return (
    <span class="names">
      {identities.map((identity, i) => (
        <span key={identity}>
          <AgentName identity={identity} />
          {i < identities.length - 1 && ", "}
        </span>
      ))}
    </span>
  );
}

export function BufferName({ inode }: { inode: number }) {
  const buffer = shown.value?.buffers.find((each) => each.inode === inode);
  const thing = { kind: "buffer", inode } as const;
  return (
    <a class="name" href={selectionLink(thing)} aria-current={isSelected(thing) ? "true" : undefined}>
      {bufferText(inode, buffer?.name)}
      {buffer !== undefined && buffer.name !== "" && <span class="quiet number"> #{inode}</span>}
    </a>
  );
}

export function nameOf({ name, identity }: SnapshotAgent): string {
  return name === "" ? `agent ${identity}` : name;
}

export function bufferText(inode: number, name: string | undefined): string {
  return name === undefined || name === "" ? `buffer ${inode}` : name;
}
