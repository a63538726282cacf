import type { Agent, Awaited } from "../domain/agent.js";
import { otherAgents, type Identity } from "../domain/agent-slot.js";
import type { FrameStream } from "../stream/frame-stream.js";
import type { StreamHandle } from "../stream/stream-handle.js";
import { isStream } from "../stream/stream-slot.js";
import type { Inbox } from "./inbox.js";

const ASK_AGAIN_MS = 500;

/**
 * The streams of a domain by their names: each producer tells all agents of its streams, and whoever joins later asks
 * all. There is no list that could be wrong for everybody.
 */
export class StreamDirectory {
  readonly #agent: Agent;
  readonly #inbox: Inbox;
  readonly #own = new Set<FrameStream>();
  readonly #known = new Map<string, StreamHandle>();

  constructor(agent: Agent, inbox: Inbox) {
    this.#agent = agent;
    this.#inbox = inbox;
  }

  /** Tells all agents of a stream that this one produces. */
  announce(stream: FrameStream): void {
    this.#own.add(stream);
    for (const to of otherAgents(this.#agent)) this.#tell(to, stream);
  }

  /** Asks all agents for theirs. */
  ask(): void {
    for (const to of otherAgents(this.#agent)) this.#inbox.post(to, { kind: "ask for streams" });
  }

  /** Asks for a stream, and again after some time: who produces it may have had no room for a letter, or for a handle. */
  await(name: string): Awaited {
    const { host } = this.#agent;
    this.ask();
    let askedNs = host.nowNs();
    return {
      arm: () => {
        if (host.nowNs() - askedNs < ASK_AGAIN_MS * 1e6) return;
        askedNs = host.nowNs();
        this.ask();
      },
      ready: () => this.find(name) !== undefined,
      patience: () => ASK_AGAIN_MS,
    };
  }

  /** Another agent asks. */
  answer(from: Identity): void {
    for (const stream of this.#own) this.#tell(from, stream);
  }

  /** Another agent tells of its stream. What is gone is forgotten: there are never more than the domain has room for. */
  learn(handle: StreamHandle): void {
    for (const [name, known] of this.#known) {
      if (known.slot === handle.slot || !isStream(this.#agent, known)) this.#known.delete(name);
    }
    if (!isStream(this.#agent, handle)) return;
    this.#known.set(handle.name, handle);
  }

  /** The stream of that name, if it is known here and still there. */
  find(name: string): StreamHandle | undefined {
    for (const stream of this.#own) if (stream.name === name && !stream.isClosed) return handleOf(stream);
    const handle = this.#known.get(name);
    if (handle === undefined || isStream(this.#agent, handle)) return handle;
    this.#known.delete(name);
    return undefined;
  }

  #tell(to: Identity, stream: FrameStream): void {
    if (stream.isClosed) this.#own.delete(stream);
    else this.#inbox.post(to, { kind: "stream", handle: handleOf(stream) });
  }
}

/** The producer holds the buffers while the stream lives: the handles need not, however long they lie about. */
function handleOf(stream: FrameStream): StreamHandle {
  const handle = stream.handle();
  for (const buffer of handle.buffers) buffer[Symbol.dispose]();
  return handle;
}
