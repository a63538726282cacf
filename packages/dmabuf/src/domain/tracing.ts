import type { Identity } from "./agent-slot.js";
import { LARGEST_DETAIL, POINT, type RawEvent } from "./trace-points.js";

export { POINT };

/**
 * The one hook of all that is traced.
 *
 * tracing.1. A point is a look whether any sink wants it, and the call of {@link trace} only if one does: `if (traces(agent,
 *     POINT["fence:init"])) trace(…)`. So nothing is read, made or called for what no sink listens to.
 * tracing.2. There are two sinks: the agent's ring, and the channel of `node:diagnostics_channel` with the point's name, where
 *     there is that module. A subscriber runs in the call in which the event happens, and in its asynchronous context.
 * tracing.3. No sink makes a call of the library fail. What a subscriber throws is the runtime's to report.
 */

/** Where an agent's last events are kept. */
export interface TraceSink {
  write(point: number, detail: number, thing: number, number: number, name: string | undefined, at: number): void;
  /** The agent has left its domain: nothing is written any more. */
  close(): void;
}

/** Whether any sink listens to an agent: the one look that a point costs while none does. */
export interface Listened {
  isListenedTo: boolean;
  readonly traceSink: TraceSink | undefined;
}

/** What is traced of an agent. */
export interface Traced extends Listened {
  readonly identity: Identity;
  readonly domain: string;
  readonly host: { nowNs(): number };
}

/** A sink of one point that others can listen at: a channel of `node:diagnostics_channel`. */
export interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
  subscribe(subscriber: unknown): unknown;
}

/** For surroundings without channels. */
const SILENT: Channel = { hasSubscribers: false, publish: () => {}, subscribe: () => {} };

/** By the points' numbers. */
const channels: Channel[] = /* @__PURE__ */ Object.values(POINT).map(() => SILENT);
/** Whether any channel was ever subscribed to. */
let isHeard = false;
let messageFrom: (event: RawEvent, domain: string) => unknown;

/** The agents of this thread that have joined and not left: a channel may be subscribed to later. */
const agents = /* @__PURE__ */ new Set<WeakRef<Listened>>();

/** An agent has joined. Its ring is there already. @returns What is to be called when it has left. */
export function listenTo(agent: Listened): () => void {
  const reference = new WeakRef(agent);
  agents.add(reference);
  agent.isListenedTo = isHeard || agent.traceSink !== undefined;
  return () => {
    agents.delete(reference);
    agent.isListenedTo = false;
  };
}

function hear(): void {
  isHeard = true;
  for (const reference of agents) {
    const agent = reference.deref();
    if (agent === undefined) agents.delete(reference);
    else agent.isListenedTo = true;
  }
}

/** Has all agents of this thread publish what they trace. */
export function useChannels(open: (point: number) => Channel, message: typeof messageFrom): void {
  messageFrom = message;
  for (let point = 0; point < channels.length; point++) {
    const channel = open(point);
    channels[point] = channel;
    if (channel.hasSubscribers || !hearSubscription(channel)) hear();
  }
}

/**
 * Node.js tells of no subscription: the channel's own method does, which is looked for at each one.
 *
 * @returns Whether it will be heard of.
 */
function hearSubscription(channel: Channel): boolean {
  const subscribe = function (this: Channel, subscriber: unknown): unknown {
    hear();
    return (Object.getPrototypeOf(this) as Channel).subscribe.call(this, subscriber);
  };
  return Reflect.defineProperty(channel, "subscribe", { value: subscribe, configurable: true, writable: true });
}

/** Whether a sink wants what happens at a point. @param point A number of `POINT`. */
export function traces(agent: Listened, point: number): boolean {
  // One look at what the caller has at hand: a second one would be seen in what a frame costs.
  return agent.isListenedTo && (agent.traceSink !== undefined || channels[point]!.hasSubscribers);
}

/**
 * Tells the sinks of an event; {@link traces} has said that one wants it.
 *
 * @param thing What it has happened to, as `eventFrom()` reads it, and so the others.
 * @param at When, in monotonic nanoseconds. Default: now.
 */
export function trace(
  agent: Traced,
  point: number,
  thing: number,
  number: number,
  detail: number,
  name: string | undefined,
  at = agent.host.nowNs(),
): void {
  const fitting = detail < LARGEST_DETAIL ? detail : LARGEST_DETAIL;
  agent.traceSink?.write(point, fitting, thing, number, name, at);
  const channel = channels[point]!;
  if (channel.hasSubscribers) {
    channel.publish(
      messageFrom({ point, detail: fitting, thing, number, name, at, agent: agent.identity }, agent.domain),
    );
  }
}
