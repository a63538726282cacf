import { Domain, rawFormat, type Consumer, type FrameStream } from "dmabuf";

/** What a domain has beside the two ends of the stream that is measured: all of it is there, and at rest. */
export interface Crowd {
  /** All agents of the domain. Default those that measure. */
  readonly agents?: number;
  /** All buffers. Default those of the stream. */
  readonly buffers?: number;
  /** All streams. Default 1. */
  readonly streams?: number;
  /** Places of the stream. Default as few as the measure can do with. */
  readonly places?: number;
  /** All consumers of the stream. Default 1. */
  readonly consumers?: number;
}

/** A domain, and a stream in it; what is to be there beside them is made by {@link fill}. */
export class CrowdedDomain {
  readonly domain: Domain;
  readonly stream: FrameStream;
  readonly #crowd: Crowd;
  readonly #agents: number;
  readonly #places: number;
  /** What must not be collected. */
  readonly #others: unknown[] = [];

  /** @param least What the measure needs without a crowd. */
  constructor(crowd: Crowd, least: { agents: number; places: number; bytes: number; spin?: number }) {
    this.#crowd = crowd;
    this.#agents = least.agents;
    this.#places = crowd.places ?? least.places;
    const streams = crowd.streams ?? 1;
    this.domain = Domain.create({
      agents: crowd.agents ?? least.agents,
      buffers: crowd.buffers ?? this.#places + streams - 1,
      streams,
      ...(least.spin !== undefined && { spin: least.spin }),
    });
    const format = rawFormat(least.bytes);
    this.stream = this.domain.createStream({ format, buffers: this.#places, dataBytes: 0 });
  }

  /** Makes the others, after the ends that are measured. @returns The other consumers, which may miss frames. */
  fill(): Consumer[] {
    const { agents = 0, buffers = 0, streams = 1, consumers = 1 } = this.#crowd;
    for (let i = this.#agents; i < agents; i++) this.#others.push(Domain.join(this.domain.invite()));
    for (let i = 1; i < streams; i++) {
      this.#others.push(this.domain.createStream({ format: rawFormat(1), buffers: 1, dataBytes: 0 }));
    }
    for (let i = this.#places + streams - 1; i < buffers; i++) this.#others.push(this.domain.allocate(1));
    const more = Array.from({ length: consumers - 1 }, () => this.stream.frames({ policy: "newest" }));
    this.#others.push(more);
    return more;
  }
}
