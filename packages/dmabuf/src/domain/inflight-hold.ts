import type { Agent } from "./agent.js";
import type { Inflight, ReferencedTable, SlotKey } from "./referenced-table.js";

/** The hold of a handle that is sent away: until the handle is closed, or its time is over. */
export class InflightHold {
  /** As the receiver ends it. */
  readonly inflight: Inflight;
  readonly #end: () => void;
  readonly #cancelTimer: () => void;

  /** @param limit Milliseconds. @throws {DmaBufError} `EAGAIN` if too many handles are in flight. */
  constructor(agent: Agent, table: ReferencedTable, key: SlotKey, limit: number) {
    const inflight = table.addInflight(agent, key);
    this.inflight = inflight;
    // The timer keeps neither the handle nor the memory in it.
    const { slot } = key;
    this.#end = () => void table.endInflight(agent, slot, inflight);
    this.#cancelTimer = agent.host.after(limit, this.#end);
  }

  /** Twice does nothing. */
  close(): void {
    this.#cancelTimer();
    this.#end();
  }
}
