import { agentOf } from "../src/domain-base.js";
import type { DomainOptions, Invitation } from "../src/thread-domain.js";
import { Domain } from "../src/threads.js";
import { deadIn, isLive, slotOf } from "../src/domain/agent-slot.js";
import type { MessagePortLike } from "../src/host/lifeline.js";

/**
 * Several agents of one domain in the calling thread: for facts that need more than one agent and no second thread.
 * They end with the test.
 */

/** As much of a test's context as is used here. */
interface Context {
  after(cleanUp: () => unknown): void;
}

export function createDomain(t: Context, options: DomainOptions = {}): Domain {
  const domain = Domain.create({ agents: 8, buffers: 16, timelines: 8, oneShots: 16, streams: 4, ...options });
  t.after(() => domain.close());
  return domain;
}

export function joinDomain(t: Context, inviter: Domain, name = "worker", options = {}): Domain {
  const domain = Domain.join(inviter.invite({ name }), options);
  t.after(() => domain.close());
  return domain;
}

/**
 * Options of a test in which an agent of the calling thread dies: in Node.js the close of a port tells of it, in browsers
 * only the end of a real worker does.
 */
export const DIES = { skip: "process" in globalThis ? false : "no real worker ends", timeout: 10_000 };

/** An agent that can die without a word, as a terminated thread does. */
export interface Mortal {
  readonly domain: Domain;
  /** Resolves when the inviter has given back all that the agent held. Do not use the agent afterwards. */
  readonly die: () => Promise<void>;
}

export function joinMortal(inviter: Domain, name = "mortal"): Mortal {
  const invitation = inviter.invite({ name });
  const domain = Domain.join({ ...invitation, port: DEAF });
  return { domain, die: () => die(inviter, invitation) };
}

/** Ends an invited agent that holds no end of its lifeline, or that has never joined. */
export async function die(inviter: Domain, { identity, port }: Invitation): Promise<void> {
  port.close();
  await until(() => !isLive(agentOf(inviter), identity) && deadIn(agentOf(inviter), slotOf(identity)) === 0);
}

/** The dead hear nothing: with the real port they would see it close, and take it for the inviter's death. */
const DEAF = { postMessage() {}, close() {}, start() {}, addEventListener() {} } as unknown as MessagePortLike;

/** Looks again and again; the test's timeout is the limit. */
export async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await pause(1);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether a promise is still pending after everything that was under way has had its turn. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  return Promise.race([settled, pause(20).then(() => true)]);
}
