/** A consumer that shares the frames of a stream with all the others, as a thread or as a process. */
import {
  copiedBytes,
  DmaBufError,
  Domain,
  type Frame,
  type FrameStream,
  type Invitation,
  type JoinedDomain,
  type ModuleWindow,
  type Plane,
  type StreamHandleData,
} from "dmabuf";
import { ProcessDomain, type WorkerInvitation } from "dmabuf/node";
import { checksumOf } from "./checksum.js";
import { Consumer } from "./consumer.js";
import { openEndpoint } from "./endpoint.js";
import type { JobSettings } from "./jobs/job.js";
import { nowMicroseconds } from "./latency.js";
import type { Picture } from "./picture.js";
import { policyOf } from "./pipeline.js";
import type { FrameData } from "./publisher.js";

/** What such a consumer is started with: how it comes by the stream. */
export interface Given {
  readonly settings: JobSettings;
  readonly way: ThreadWay | ProcessWay;
}

interface ThreadWay {
  readonly invitation: Invitation;
  readonly stream: StreamHandleData;
  /** What the frames are in. */
  readonly memory: WebAssembly.Memory | undefined;
}

/** The domain is one of processes: it is inherited by a process. */
interface ProcessWay {
  /** The stream's name. */
  readonly stream: string;
  /** Of a thread. */
  readonly thread?: WorkerInvitation;
}

const endpoint = openEndpoint<Given>();
const { settings, way } = endpoint.given;
const policy = policyOf(settings.name);
const memory = "memory" in way ? way.memory : undefined;
const consumer = new Consumer(settings, (message) => endpoint.tell(message), memory);
/** On the stream that frames come from, if the job's module sees them. */
let window: ModuleWindow | undefined;
endpoint.hear((message) => {
  if (message.kind === "note") consumer.hear(message.note);
});
try {
  await consumer.start();
  if ("invitation" in way) {
    using domain = Domain.join(way.invitation);
    const stream = domain.import(way.stream);
    await consume(domain, stream.frames({ policy }), () => stream);
  } else {
    const { thread } = way;
    using domain = thread ? ProcessDomain.join(thread) : await ProcessDomain.inherit({ name: settings.name });
    const follower = domain.follow(way.stream, { policy });
    await consume(domain, follower, () => follower.stream);
  }
} catch (error) {
  consumer.fail(error);
} finally {
  endpoint.close();
}

async function consume(
  domain: JoinedDomain,
  frames: AsyncIterable<Frame>,
  streamNow: () => FrameStream | undefined,
): Promise<void> {
  let stream: FrameStream | undefined;
  consumer.ready();
  for await (const frame of frames) {
    if (consumer.memory !== undefined && stream !== streamNow()) {
      window?.close();
      stream = streamNow();
      window = stream && domain.createModuleWindow(consumer.memory, stream);
    }
    await look(frame);
    consumer.wantNext();
  }
  await consumer.finish(copiedBytes());
}

/** Gives the frame back as soon as the job has read it, which may be before the job wants the next one. */
function look(lent: Frame): Promise<void> | undefined {
  const taken = nowMicroseconds();
  using frame = lent;
  const [plane, chroma] = frame.planes as [Plane, Plane];
  const luma = window === undefined ? plane : { ...plane, pointer: window.pointerTo(frame) + plane.offset };
  const { width, height } = settings;
  const data = frame.data as FrameData | undefined;
  const picture: Picture = { sequence: data?.number ?? frame.sequence, width, height, luma, chroma };
  // Of another host's frame the library says when it came here.
  const busy = consumer.look(picture, data?.at ?? frame.publishedAt / 1000, taken);
  if (data !== undefined) verify(frame.bytes, data);
  return busy;
}

/** @throws {DmaBufError} `EIO` if the frame's bytes are not those that the decoder has published. */
function verify(bytes: Uint8Array, { number, checksum }: FrameData): void {
  if (checksumOf(bytes) !== checksum) {
    throw new DmaBufError("EIO", `Frame ${number} is not what was decoded: its checksum is another`);
  }
  endpoint.tell({ kind: "checked" });
}
