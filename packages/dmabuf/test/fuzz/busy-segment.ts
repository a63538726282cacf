import { agentOf } from "../../src/domain-base.js";
import { postRequest } from "../../src/buffer/request-slot.js";
import { retireFailure } from "../../src/domain/failures.js";
import {
  rawFormat,
  type DmaBuf,
  type Fence,
  type FenceHandle,
  type BufferHandleData,
  type SoftwareTimelineHandle,
  type StreamHandleData,
  type Usage,
} from "../../src/index.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import type { SyncobjHandleData } from "../../src/fence/syncobj-handle.js";
import type { UserFenceHandleData } from "../../src/fence/user-fence-handle.js";
import { BareDomain, createMemory } from "../bare-domain.js";

/** What two agents have left for a third one in a control segment in which every table is in use. */
export interface BusySegment {
  readonly words: Int32Array<ArrayBuffer>;
  readonly buffers: readonly BufferHandleData[];
  readonly fences: readonly FenceHandle[];
  readonly timeline: SoftwareTimelineHandle;
  readonly stream: StreamHandleData;
  readonly syncobj: SyncobjHandleData;
  readonly userFence: UserFenceHandleData;
}

export const SIZES = {
  agents: 6,
  buffers: 8,
  timelines: 12,
  oneShots: 8,
  streams: 3,
  requests: 3,
  syncobjs: 4,
  userFences: 4,
  orders: 4,
  activities: 8,
  copies: 4,
};
const USAGES: readonly Usage[] = ["kernel", "write", "read", "bookkeep"];

export function busySegment(): BusySegment {
  const memory = createMemory(SIZES);
  const [one, two] = [new BareDomain(memory, "one"), new BareDomain(memory, "two")];
  const dead = new BareDomain(memory, "dead");
  const buffers = [1, 2].map(() => one.allocate(1, { name: "plain" }));
  const there = two.import(buffers[0]!.handle());
  there.accessSync("read", { timeout: 0 }).copy();
  for (const usage of USAGES) addFence(buffers[0]!, one.createTimeline().createFence(), usage);
  addFence(there, two.createFence({ driverName: "driver", timelineName: "line" }), "read");
  there.attachSync({ name: "device" });
  buffers[1]!.reservation.lockSync();

  const failing = two.createTimeline();
  const fences = [1, 2, 3, 4].map(() => failing.createFence());
  fences[0]!.signal();
  fences[1]!.setError("EIO");
  fences[1]!.signal();
  const software = one.createSoftwareTimeline();
  software.createFence(1);
  software.advance();
  retireFailure(agentOf(one), { slot: 0, generation: 1, error: 5, first: 1, last: 3 });

  const stream = one.createStream({ format: rawFormat(8), buffers: 2, dataBytes: 8 });
  stream.loanSync()!.publish();
  two.import(structuredClone(stream.handle())).frames();
  two.import(structuredClone(stream.handle())).frames({ group: "workers" });
  stream.loanSync()!.publish();

  const syncobj = two.createSyncobj();
  const syncobjHandle = structuredClone(syncobj.handle());
  for (const point of [1, 2, 3]) syncobj.addPoint(point, failing.createFence());
  one.import(syncobjHandle);

  const userFence = two.createUserFence({ name: "done" });
  const userFenceHandle = structuredClone(userFence.handle());
  void one.import(structuredClone(userFence.handle())).wait({ unref: true });

  // A dead agent that was not recovered yet.
  dead.import(buffers[1]!.handle("read")).accessSync("read", { timeout: 0 });
  dead.createTimeline().createFence();
  postRequest(
    agentOf(two),
    {
      exporter: agentOf(one).identity,
      buffer: { slot: 0, generation: 1 },
      operation: "map",
      mode: "read",
      attachment: 1,
      mapping: 1,
      isDynamic: false,
      allowPeerToPeer: false,
      name: "importer",
      lock: 0n,
    },
    true,
  );
  return {
    words: new Int32Array(memory.words).map((_, word) => memory.load(word)),
    buffers: buffers.map((buffer) => structuredClone(buffer.handle())),
    fences: [...fences.map((fence) => fence.handle()), buffers[0]!.reservation.getSingleton("read")!.handle()],
    timeline: software.handle(),
    stream: structuredClone(stream.handle()),
    syncobj: syncobjHandle,
    userFence: userFenceHandle,
  };
}

/** The words as memory. */
export function memoryOf(words: Int32Array<ArrayBuffer>): Substrate {
  return createSharedSubstrate(words.buffer as unknown as SharedArrayBuffer);
}

function addFence({ reservation }: DmaBuf, fence: Fence, usage: Usage): void {
  using _lock = reservation.lockSync();
  reservation.reserveFences(1);
  reservation.addFence(fence, usage);
}
