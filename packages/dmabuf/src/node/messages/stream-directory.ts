import type { Agent, WaitCondition } from "../../domain/agent.js";
import { otherAgents, type Identity } from "../../domain/agent-slot.js";
import { until, type Steps } from "../../domain/steps.js";
import { codeOf, DmaBufError } from "../../errors.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import type { StreamHandleData } from "../../stream/stream-handle.js";
import { hasProducer, isStream, streamEnd } from "../../stream/stream-slot.js";
import { askingAgain } from "./asking.js";
import type { PostOffice } from "./post-office.js";

/**
 * The streams of a domain by their names: each producer tells all agents of its streams, and an agent that joins later
 * asks all. There is no list that could be wrong for all.
 *
 * stream-directory.1. A stream is found while its producer is there, and not when that has closed it, or died.
 * stream-directory.2. Of several with one name one is found that has not ended, if there is any; of those, the one that
 *      was new last.
 */
export class StreamDirectory {
  readonly #agent: Agent;
  readonly #post: PostOffice;
  /** With the handle by which this agent itself knows each. */
  readonly #own = new Map<FrameStream, StreamHandleData>();
  /** By their slots, in the order in which they were first heard of. */
  readonly #known = new Map<number, StreamHandleData>();
  readonly #openStream: (handle: StreamHandleData) => FrameStream;
  readonly #listeners = new Set<() => void>();

  constructor(agent: Agent, post: PostOffice, openStream: (handle: StreamHandleData) => FrameStream) {
    this.#agent = agent;
    this.#post = post;
    this.#openStream = openStream;
    post.on("stream", ({ handle }) => this.#learn(handle));
    post.on("ask for streams", (_, from) => this.#answer(from));
  }

  /** Tells all agents of a stream that this one produces. */
  announce(stream: FrameStream): void {
    const handle = handleOf(stream);
    this.#own.set(stream, handle);
    this.#learn(handle);
    for (const to of otherAgents(this.#agent)) this.#tell(to, stream);
  }

  /** A stream of this agent's is closed. */
  forget(stream: FrameStream): void {
    const handle = this.#own.get(stream);
    if (!this.#own.delete(stream) || handle === undefined) return;
    if (this.#known.get(handle.slot) === handle) this.#known.delete(handle.slot);
  }

  /** Asks all agents for theirs. */
  ask(): void {
    this.#post.sendToAll({ kind: "ask for streams" });
  }

  /**
   * Asks for a stream, and again after some time: who produces it may have had no room for a message, or for a handle.
   */
  await(name: string): WaitCondition {
    const ask = (): void => this.ask();
    return askingAgain(this.#agent.host, ask, () => this.#find(name) !== undefined);
  }

  /**
   * The stream of that name, to consume from it, as soon as there is one.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if there is none in time.
   */
  *findStream(name: string, timeout: number | undefined): Steps<FrameStream> {
    const awaited = this.await(name);
    for (;;) {
      if (!awaited.ready() && !(yield until(this.#agent, awaited)))
        throw new DmaBufError("ETIMEDOUT", `There is no stream "${name}" after ${timeout} ms`);
      const stream = this.open(name);
      if (stream !== undefined) return stream;
    }
  }

  /** The streams that are known here and whose producers are there, those that were heard of last at the end. */
  list(): StreamHandleData[] {
    return [...this.#known.values()].filter((handle) => hasProducer(this.#agent, handle));
  }

  /** Calls each time that a stream is heard of, until what is returned is called. */
  onStream(heard: () => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }

  /** The stream of that name, to consume from it, if it is known here and still there. */
  open(name: string): FrameStream | undefined {
    const found = this.#find(name);
    return found && this.openKnown(found);
  }

  /** A stream of {@link list}, to consume from it, if it is still there. */
  openKnown(found: StreamHandleData): FrameStream | undefined {
    try {
      return this.#openStream(found);
    } catch (error) {
      if (codeOf(error) !== "ESTALE") throw error;
      // It has just gone.
      this.#known.delete(found.slot);
      return undefined;
    }
  }

  /** stream-directory.1, stream-directory.2. */
  #find(name: string): StreamHandleData | undefined {
    let open: StreamHandleData | undefined;
    let ended: StreamHandleData | undefined;
    for (const handle of this.#known.values()) {
      if (!hasProducer(this.#agent, handle)) this.#known.delete(handle.slot);
      else if (handle.name !== name) continue;
      else if (streamEnd(this.#agent, handle) === undefined) open = handle;
      else ended = handle;
    }
    return open ?? ended;
  }

  /** An agent asks for this one's streams. */
  #answer(from: Identity): void {
    for (const stream of this.#own.keys()) this.#tell(from, stream);
  }

  /** An agent tells of its stream. There are never more than the domain has room for. */
  #learn(handle: StreamHandleData): void {
    if (!isStream(this.#agent, handle)) return;
    // What is told again keeps its place.
    if (this.#known.get(handle.slot)?.generation !== handle.generation) this.#known.delete(handle.slot);
    this.#known.set(handle.slot, handle);
    for (const heard of this.#listeners) heard();
  }

  #tell(to: Identity, stream: FrameStream): void {
    this.#post.send(to, { kind: "stream", handle: handleOf(stream) });
  }
}

/** The producer holds the buffers while the stream lives: the handles need not, however long they are on their way. */
function handleOf(stream: FrameStream): StreamHandleData {
  const handle = stream.handle();
  handle.close();
  return handle;
}
