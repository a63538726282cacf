import { crc32 } from "node:zlib";
import {
  rawFormat,
  type Consumer,
  type FrameFormat,
  type FrameStream,
  type JsonValue,
  type Picture,
  type StreamOptions,
} from "dmabuf";
import {
  ProcessDomain,
  type ContributorServer,
  type ServeContributorsOptions,
  type ServeViewersOptions,
  type ViewerServer,
} from "dmabuf/node";
import type { SeenFrame } from "./adapter.js";
import { same } from "./same.js";
import type { Scene } from "./scene.js";

/** A stream of the real library, served. */
export interface Stage {
  readonly stream: FrameStream;
  readonly where: string;
}

type Stream = Partial<Pick<StreamOptions, "format" | "buffers" | "dataBytes" | "name">>;

export const FORMAT: FrameFormat = rawFormat(4096);

/** Has a new stream filled by contributors. Its consumer sees each frame. */
export function open(scene: Scene, stream: Stream = {}, options: ServeContributorsOptions = {}): Opened {
  const domain = ProcessDomain.create({ agents: 4 });
  scene.after(() => domain.close());
  const made = domain.createStream({ name: "camera", format: FORMAT, buffers: 4, ...stream });
  const where = scene.place();
  const server = domain.serveContributors(where, made, options);
  return { stream: made, where, server, consumer: made.frames({ policy: "block" }) };
}

export interface Opened extends Stage {
  readonly server: ContributorServer;
  readonly consumer: Consumer;
}

/** Serves a new stream to viewers. Its policy is "block" if nothing else is said: each frame is seen. */
export function show(
  scene: Scene,
  stream: Stream = {},
  options: ServeViewersOptions = {},
): Stage & { readonly server: ViewerServer } {
  const domain = ProcessDomain.create({ agents: 4 });
  scene.after(() => domain.close());
  const made = domain.createStream({ name: "camera", format: FORMAT, buffers: 4, ...stream });
  const where = scene.place();
  const server = domain.serveViewers(where, made, { policy: "block", ...options });
  return { stream: made, where, server };
}

/** What is published, and what must be seen of it. */
export interface Shot {
  readonly seed?: number;
  readonly length?: number;
  readonly timestamp?: number;
  readonly data?: JsonValue;
  readonly picture?: Picture;
}

/** Publishes a frame with the pattern. @returns What must be seen of it. */
export async function publish(
  scene: Scene,
  stream: FrameStream,
  { seed = 1, ...options }: Shot = {},
): Promise<Partial<SeenFrame>> {
  const loan = await stream.loan({ timeout: scene.timeout });
  if (loan === undefined) throw new Error("The suite's own stream has ended");
  fillPattern(loan.bytes, seed);
  const { length = loan.bytes.length } = options;
  const crc = crc32(loan.bytes.subarray(0, length));
  loan.publish(options);
  return { length, crc, ...(options.data !== undefined && { data: options.data }), ...options };
}

/** Byte i is (seed + i + ⌊i / 256⌋) mod 256. */
export function fillPattern(bytes: Uint8Array, seed: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (seed + i + (i >> 8)) & 255;
}

export function patternCrc(length: number, seed: number): number {
  const bytes = new Uint8Array(length);
  fillPattern(bytes, seed);
  return crc32(bytes);
}

/** @throws {Fault} If a client has understood a format wrongly: fields that it does not have are not looked at. */
export function sameFormat(got: FrameFormat | undefined, wanted: FrameFormat): void {
  for (const [field, value] of Object.entries(wanted))
    same(`"${field}" of the format`, got?.[field as keyof FrameFormat], value);
}

/** @throws {Fault} If a frame was not seen as it was published. */
export function sameFrame(seen: SeenFrame, wanted: Partial<SeenFrame>): void {
  const which = `of frame ${seen.sequence}`;
  same(`the length ${which}`, seen.length, wanted.length);
  same(`the checksum ${which}`, seen.crc, wanted.crc);
  same(`the data ${which}`, seen.data ?? null, wanted.data ?? null);
  same(`the picture ${which}`, seen.picture ?? null, wanted.picture ?? null);
  if (wanted.timestamp !== undefined) same(`the timestamp ${which}`, seen.timestamp, wanted.timestamp);
  if (wanted.sequence !== undefined) same(`the sequence number`, seen.sequence, wanted.sequence);
}
