import { check, checkObject, FLAG, FUNCTION, integer, type Kinds } from "../arguments.js";
import { MEMORY, RecordedMemory } from "./recorded-agent.js";
import type { Host } from "../host/host.js";
import type { Substrate } from "../substrate/substrate.js";

const HOST: Kinds<Host> = {
  nowNs: FUNCTION,
  mayBlock: FLAG,
  spinNs: integer(0),
  processId: integer(0),
  isStopped: FUNCTION,
  after: FUNCTION,
  keepAlive: FUNCTION,
  warn: FUNCTION,
};

/** A host whose warnings can be read. */
export interface ModelHost extends Host {
  /** What the code has warned of, in its order. */
  readonly warnings: readonly string[];
}

/**
 * Surroundings for code on the model: nothing in them happens by chance, so an agent repeats itself.
 *
 * The clock does not move, except that a park that times out takes its time. Blocking is allowed, no wait spins (the
 * budget is 0: an explored spin would only repeat the look), and timers never fire. Make one in each run of an agent.
 *
 * @param memory The memory that the agent got.
 * @param overrides What is to be different, for instance `mayBlock`.
 *
 * @example
 * ```ts
 * import { explore, modelHost } from "dmabuf/testing";
 *
 * explore({
 *   words: 1,
 *   agents: [
 *     (memory) => {
 *       const host = modelHost(memory);
 *       const start = host.nowNs();
 *       memory.park(0, 0, 5);
 *       return host.nowNs() - start; // 5,000,000 if it timed out
 *     },
 *   ],
 * });
 * ```
 */
export function modelHost(memory: Substrate, overrides: Partial<Host> = {}): ModelHost {
  check("modelHost()", "memory", memory, MEMORY);
  checkObject<Partial<Host>>("modelHost()", "overrides", overrides, HOST);
  const warnings: string[] = [];
  return {
    nowNs: () => START_NS + (memory instanceof RecordedMemory ? memory.elapsedMs * 1e6 : 0),
    mayBlock: true,
    spinNs: 0,
    after: () => () => {},
    keepAlive: () => () => {},
    warn: (message) => void warnings.push(message),
    ...overrides,
    warnings,
  };
}

/** Not 0, which often means "no time". */
const START_NS = 1e9;
