import type { Agent } from "../domain/agent.js";
import { agentName, type Identity } from "../domain/agent-slot.js";
import { isKeySignaled, keyOrigin } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { LARGEST_DETAIL, POINT, streamThing, type RawEvent, type TracePoint } from "../domain/trace-points.js";
import type { TracedStream, Tracer } from "../domain/tracing.js";
import { ERRNO } from "../errors.js";

/** Where an agent's last events are kept. */
export interface TraceSink {
  write(point: number, detail: number, thing: number, number: number, name: string | undefined, at: number): void;
  /** The agent has left its domain: nothing is written any more. */
  close(): void;
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
const channels: Channel[] = Object.values(POINT).map(() => SILENT);
/** Whether any channel was ever subscribed to. */
let isHeard = false;
let messageFrom: (event: RawEvent, domain: string) => unknown;

/** The agents of this thread that have joined and not left: a channel may be subscribed to later. */
const agents = new Set<WeakRef<Agent>>();

/** An agent has joined. @param sink Its ring, if it has one. */
export function listenTo(agent: Agent, sink?: TraceSink): void {
  const reference = new WeakRef(agent);
  agents.add(reference);
  if (isHeard || sink !== undefined) agent.tracer = new AgentTracer(agent, sink);
  agent.gone.onEnd(() => {
    agents.delete(reference);
    agent.tracer = undefined;
    sink?.close();
  });
}

function hear(): void {
  isHeard = true;
  for (const reference of agents) {
    const agent = reference.deref();
    if (agent === undefined) agents.delete(reference);
    else agent.tracer ??= new AgentTracer(agent, undefined);
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

class AgentTracer implements Tracer {
  readonly #agent: Agent;
  readonly #sink: TraceSink | undefined;

  constructor(agent: Agent, sink: TraceSink | undefined) {
    this.#agent = agent;
    this.#sink = sink;
  }

  wants(point: number): boolean {
    return this.#sink !== undefined || channels[point]!.hasSubscribers;
  }

  tell(
    point: number,
    thing: number,
    number: number,
    detail: number,
    name: string | undefined,
    at = this.#agent.host.nowNs(),
  ): void {
    const fitting = detail < LARGEST_DETAIL ? detail : LARGEST_DETAIL;
    this.#sink?.write(point, fitting, thing, number, name, at);
    const channel = channels[point]!;
    if (channel.hasSubscribers) {
      const { identity, domain } = this.#agent;
      channel.publish(messageFrom({ point, detail: fitting, thing, number, name, at, agent: identity }, domain));
    }
  }

  stream(point: TracePoint, { key, name }: TracedStream, number = 0, place = 0, at?: number): void {
    if (this.wants(POINT[point])) {
      this.tell(POINT[point], streamThing(key.slot, key.generation), number, place, name, at);
    }
  }

  agent(point: TracePoint, identity: Identity): void {
    if (this.wants(POINT[point])) this.tell(POINT[point], identity, 0, 0, agentName(this.#agent, identity));
  }

  timesOut(key: FenceKey, at: number): void {
    if (!this.wants(POINT["fence:signaled"]) || isKeySignaled(this.#agent, key)) return;
    const origin = keyOrigin(this.#agent, key);
    if (origin === undefined) return;
    const { context, seqno, timelineName } = origin;
    this.tell(POINT["fence:signaled"], context, seqno, ERRNO.ETIMEDOUT, timelineName, at);
  }
}
