/**
 * A member of a domain with contents that are known, for tests of snapshots: it says when all is there, and stays.
 *
 * Usage: node snapshot-program.js maker PLACE | holder PLACE | many PLACE | brief PLACE, with an IPC channel. The maker makes the domain,
 * and the holder waits for what the maker has. "many" makes 1,000 buffers with fences; "brief" makes a domain and ends at once.
 */
import { once } from "node:events";
import process from "node:process";
import {
  audioFormat,
  imageFormat,
  tensorFormat,
  type BufferHandleData,
  type FenceHandle,
  type StreamHandleData,
  type SyncobjHandleData,
  type UserFenceHandleData,
} from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";

/** What the maker has made. */
export interface Scene {
  readonly domain: string;
  readonly inode: number;
  readonly handles: {
    readonly buffer: BufferHandleData;
    readonly stream: StreamHandleData;
    readonly promise: FenceHandle;
    readonly syncobj: SyncobjHandleData;
    readonly userFence: UserFenceHandleData;
  };
}

const LONG = 120_000;
const [, , role, place] = process.argv as unknown as [string, string, string, string];

function say(message: object | string): Promise<unknown> {
  return new Promise((sent) => process.send!(message, sent));
}

async function maker(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name: "maker", handleLimit: LONG });
  const timeline = domain.createTimeline({ name: "gpu", driverName: "virtual", timeLimit: LONG });
  const fences = Array.from({ length: 5 }, () => timeline.createFence());
  timeline.signal(2);
  timeline.signal(3, "EIO");
  domain.createSoftwareTimeline({ name: "steps" }).advance(4);
  void domain.createQueue({ name: "jobs", run: () => new Promise<undefined>(() => {}) }).submit({ data: undefined });
  const buffer = domain.allocate(8192, { name: "frame" });
  {
    using access = await buffer.access("write");
    access.bytes.forEach((_, i) => (access.bytes[i] = i % 251));
  }
  {
    using _lock = buffer.reservation.lockSync();
    buffer.reservation.reserveFences(2);
    buffer.reservation.addFence(fences[3]!, "write");
    buffer.reservation.addFence(fences[4]!, "read");
  }
  const promise = domain.fenceFrom(new Promise<void>(() => {}), { name: "promise", timeLimit: LONG });
  const syncobj = domain.createSyncobj();
  syncobj.replaceFence(fences[3]);
  const userFence = domain.createUserFence({ name: "go" });
  const stream = domain.createStream({ name: "camera", format: imageFormat("NV12", 64, 32), buffers: 4 });
  const sound = audioFormat({ channels: 64, rate: 48_000, samples: 128, layout: "planar" });
  domain.createStream({ name: "sound", format: sound, buffers: 2 });
  domain.createStream({ name: "weights", format: tensorFormat([2, 3, 4], "float32"), buffers: 2 });
  const handles = {
    buffer: buffer.handle(),
    stream: stream.handle(),
    promise: promise.handle(),
    syncobj: syncobj.handle(),
    userFence: userFence.handle(),
  };
  await say({ handles, domain: handles.buffer.domain, inode: buffer.inode });
  // The holder has joined the stream.
  await once(process, "message");
  for (let i = 0; i < 2; i++) (await stream.loan())!.publish();
  await say("published");
  await stream.loan();
  buffer.reservation.lockSync();
}

async function holder(): Promise<void> {
  const domain = await ProcessDomain.connect(place, { name: "holder" });
  const [handles] = (await once(process, "message")) as [Scene["handles"]];
  domain.import(handles.buffer);
  domain.import(handles.syncobj);
  const stream = domain.import(handles.stream);
  const consumer = stream.frames();
  stream.frames({ group: "workers", policy: "drop-oldest" });
  await say("joined");
  (await consumer.next())!.copy();
  void domain.import(handles.promise).wait();
  void domain.import(handles.userFence).wait();
}

async function many(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name: "many" });
  const timelines = Array.from({ length: 50 }, (_, i) => domain.createTimeline({ name: `line ${i}`, timeLimit: LONG }));
  const fences = timelines.flatMap((timeline) => Array.from({ length: 40 }, () => timeline.createFence()));
  for (let i = 0; i < 1000; i++) {
    const { reservation } = domain.allocate(4096, { name: `buffer ${i}` });
    using _lock = reservation.lockSync();
    reservation.reserveFences(2);
    reservation.addFence(fences[2 * i]!, "write");
    reservation.addFence(fences[2 * i + 1]!, "read");
  }
  await say("ready");
}

if (role === "maker") await maker();
else if (role === "holder") await holder();
else if (role === "many") await many();
else {
  ProcessDomain.listen(place, { name: "brief" });
  process.exit();
}
setInterval(() => {}, 60_000);
