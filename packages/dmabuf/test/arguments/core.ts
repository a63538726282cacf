import { bufferOf } from "../../src/substrate/atomic-words.js";
import { agentOf } from "../../src/domain-base.js";
import {
  Domain,
  rawFormat,
  type DmaBuf,
  type Fence,
  type FrameStream,
  type Job,
  type JoinedDomain,
  type LongRunningJob,
  type ModuleMemory,
  type Queue,
  type SyncFile,
} from "../../src/index.js";
import type { Agent } from "../../src/domain/agent.js";
import { INVITED } from "./invitations.js";
import type { Exceptions } from "./nonsense.js";

/** What the functions of `dmabuf` are called on and with, rightly. A function that is missing here fails the test. */

export const SIZES = {
  agents: 4,
  buffers: 16,
  timelines: 8,
  oneShots: 32,
  streams: 2,
  requests: 4,
  syncobjs: 4,
  userFences: 4,
};

/** A domain, and things in it, made anew for each function. */
export class World {
  readonly domain: JoinedDomain;
  readonly #opened: Disposable[] = [];
  readonly #control: Uint8Array;
  #shown: DmaBuf | undefined;

  constructor() {
    const domain = Domain.create(SIZES);
    this.domain = domain;
    this.#control = new Uint8Array(bufferOf(domain.invite().control));
  }

  /** All that the agents have in common. */
  get state(): Uint8Array {
    return this.#control.slice();
  }

  get agent(): Agent {
    return agentOf(this.domain);
  }

  fence(): Fence {
    return this.domain.createTimeline().createFence();
  }

  syncFile(): SyncFile {
    return this.domain.createSyncFile(this.fence());
  }

  buffer(): DmaBuf {
    return this.domain.allocate(4096);
  }

  /** The buffer that a window shows. */
  get shown(): DmaBuf {
    return (this.#shown ??= this.buffer());
  }

  stream(): FrameStream {
    return this.domain.createStream({ format: rawFormat(64), buffers: 2 });
  }

  endedStream(): FrameStream {
    const stream = this.stream();
    stream.end();
    return stream;
  }

  queue(): Queue {
    return this.domain.createQueue({ run: () => {} });
  }

  /** A buffer whose reservation is locked, with room for fences. */
  locked(): DmaBuf {
    const buffer = this.buffer();
    this.#opened.push(buffer.reservation.lockSync());
    buffer.reservation.reserveFences(2);
    return buffer;
  }

  close(): void {
    for (const one of this.#opened) one[Symbol.dispose]();
    this.domain.close();
  }
}

const OPS = { driverName: "driver", timelineName: "timeline" };
const NOW: { timeout: number } = { timeout: 0 };
const noOps = { map: () => [], unmap() {}, release() {} };

function segments(): { memory: ArrayBufferLike; offset: number; length: number }[] {
  return [{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }];
}

function moduleMemory(): ModuleMemory {
  return new WebAssembly.Memory({ initial: 1, maximum: 100, shared: true });
}

function fields(handle: object): unknown {
  return structuredClone(handle);
}

/** What a method is called on; for a class that has no static function with which it could be made. */
export const RECEIVERS: Readonly<Record<string, (world: World) => object | Promise<object>>> = {
  AllMembers: ({ domain }) => domain,
  FenceMembers: ({ domain }) => domain,
  SyncobjMembers: ({ domain }) => domain,
  UserFenceMembers: ({ domain }) => domain,
  BufferMembers: ({ domain }) => domain,
  StreamMembers: ({ domain }) => domain,
  QueueMembers: ({ domain }) => domain,
  ExplainMembers: ({ domain }) => domain,
  ValidatorMembers: ({ domain }) => domain,
  Explanation: ({ domain }) => domain.explain(),
  WindowMembers: ({ domain }) => domain,
  ModuleWindow: (world) => world.domain.createModuleWindow(moduleMemory(), world.shown),
  ThreadDomain: ({ domain }) => domain,
  ReadFence: (world) => world.fence(),
  Fence: (world) => world.fence(),
  FenceArray: (world) => world.domain.createFenceArray([world.fence()]),
  FenceQueries: (world) => world.locked().reservation,
  Reservation: (world) => world.locked().reservation,
  DmaBuf: (world) => world.buffer(),
  PagedBuffer: ({ domain }) => domain.createPagedBuffer({ size: 4096, fill() {} }),
  SyncFile: (world) => world.syncFile(),
  Syncobj: ({ domain }) => domain.createSyncobj({ signaled: true }),
  UserFence: ({ domain }) => domain.createUserFence(),
  MemoryFence: (world) => world.buffer().memoryFence({ value: 0 }),
  Attachment: (world) => world.locked().attachSync({ moveNotify() {} }),
  Heap: ({ domain }) => domain.heaps.get("system"),
  Heaps: ({ domain }) => domain.heaps,
  Timeline({ domain }) {
    const timeline = domain.createTimeline();
    timeline.createFence();
    return timeline;
  },
  SoftwareTimeline: ({ domain }) => domain.createSoftwareTimeline(),
  FrameStream: (world) => world.stream(),
  Consumer(world) {
    const stream = world.stream();
    const consumer = stream.frames();
    stream.loanSync()!.publish();
    return consumer;
  },
  Loan: (world) => world.stream().loanSync()!,
  Queue: (world) => world.queue(),
  Scheduler: ({ domain }) => domain.createScheduler({ run: () => {} }),
  Job: ({ domain }) =>
    new Promise<Job<undefined>>((resolve) => {
      const run = (job: Job<undefined>): Promise<never> => {
        resolve(job);
        // It runs until the domain is closed.
        return new Promise(() => {});
      };
      domain.createQueue({ run }).submitSync({ reads: [domain.allocate(4096)] });
    }),
  LongRunningQueue: ({ domain }) => domain.createQueue({ longRunning: true, run: () => {} }),
  LongRunningScheduler: ({ domain }) => domain.createScheduler({ longRunning: true, run: () => {} }),
  LongRunningJob: ({ domain }) =>
    new Promise<LongRunningJob<undefined>>((resolve) => {
      const run = (job: LongRunningJob<undefined>): Promise<never> => new Promise(() => resolve(job));
      domain.createQueue({ longRunning: true, run }).submit({ buffers: [domain.allocate(4096)] });
    }),
};

type Valid = (world: World, receiver: never) => readonly unknown[];

/** Arguments with which each function is called rightly. */
export const VALID: Readonly<Record<string, Valid>> = {
  "DmaBuf.name": () => ["name"],
  "new DmaBufError()": () => ["EIO", "message", {}],
  "new ValidationReport()": () => ["own-fence", "message", []],
  "ValidatorMembers.endSignalling()": ({ domain }) => [domain.beginSignalling()],
  "ValidatorMembers.signalling()": () => [() => {}],
  "DmaBufError.from()": () => [{ code: "EIO", message: "message" }],
  "Fence.signal()": ({ agent }) => [agent.host.nowNs()],
  "Fence.setError()": () => ["EIO"],
  "Fence.addCallback()": () => [() => {}],
  "ReadFence.wait()": () => [NOW],
  "Fence.wait()": () => [NOW],
  "ReadFence.waitSync()": () => [NOW],
  "Fence.waitSync()": () => [NOW],
  "ReadFence.result()": () => [NOW],
  "Fence.result()": () => [NOW],
  "ReadFence.resultSync()": () => [NOW],
  "Fence.resultSync()": () => [NOW],
  "Fence.setDeadline()": ({ agent }) => [agent.host.nowNs()],
  "Fence.isLater()": (_world, fence: Fence) => [fence],
  "Fence.isLaterOrSame()": (_world, fence: Fence) => [fence],
  "Reservation.fences()": () => ["read"],
  "Reservation.getFences()": () => ["read"],
  "Reservation.getOverdueFences()": () => ["read"],
  "Reservation.getSingleton()": () => ["read"],
  "Reservation.testSignaled()": () => ["read"],
  "Reservation.testFinished()": () => ["read"],
  "Reservation.wait()": () => ["read", NOW],
  "Reservation.waitSync()": () => ["read", NOW],
  "Reservation.waitFinished()": () => ["read", NOW],
  "Reservation.waitFinishedSync()": () => ["read", NOW],
  "Reservation.setDeadline()": () => ["read", 1],
  "Reservation.lock()": ({ domain }) => [domain.createAcquireContext(), NOW],
  "Reservation.lockSync()": ({ domain }) => [domain.createAcquireContext(), NOW],
  "Reservation.reserveFences()": () => [1],
  "Reservation.addFence()": (world) => [world.fence(), "read"],
  "Reservation.replaceFences()": (world) => [1, world.fence(), "read"],
  "Reservation.copyFences()": (world) => [world.buffer().reservation],
  "Reservation.lockedFences()": () => ["read"],
  "DmaBuf.handle()": () => ["read"],
  "DmaBuf.duplicate()": () => ["read"],
  "DmaBuf.access()": () => ["read", NOW],
  "DmaBuf.accessSync()": () => ["read", NOW],
  "DmaBuf.tryAccess()": () => ["read"],
  "DmaBuf.isReady()": () => ["read"],
  "DmaBuf.ready()": () => ["read", NOW],
  "DmaBuf.readySync()": () => ["read", NOW],
  "SyncFile.merge()": (world) => ["name", world.syncFile(), world.syncFile()],
  "SyncFile.wait()": () => [NOW],
  "SyncFile.waitSync()": () => [NOW],
  "SyncFile.setDeadline()": () => [1],
  "DmaBuf.exportSyncFile()": () => ["read"],
  "DmaBuf.importSyncFile()": (world) => ["read", world.syncFile(), NOW],
  "DmaBuf.importSyncFileSync()": (world) => ["read", world.syncFile(), NOW],
  "DmaBuf.beginCpuAccess()": () => ["read", NOW],
  "DmaBuf.beginCpuAccessSync()": () => ["read", NOW],
  "DmaBuf.endCpuAccess()": () => ["read"],
  "Attachment.map()": () => ["read", NOW],
  "Attachment.mapSync()": () => ["read", NOW],
  "Attachment.mapLockedSync()": () => ["read", NOW],
  "Attachment.mapLocked()": () => ["read", NOW],
  "Attachment.pin()": () => [NOW],
  "Attachment.pinSync()": () => [NOW],
  "DmaBuf.attachSync()": () => [{}, NOW],
  "DmaBuf.attach()": () => [{}, NOW],
  "DmaBuf.mmap()": () => [{}],
  "PagedBuffer.duplicate()": () => ["read"],
  "PagedBuffer.fault()": () => [0, 1, NOW],
  "PagedBuffer.faultSync()": () => [0, 1, NOW],
  "PagedBuffer.pin()": () => [NOW],
  "PagedBuffer.pinSync()": () => [NOW],
  "DmaBuf.memoryFence()": () => [{ offset: 0, value: 1 }],
  "DmaBuf.move()": () => [segments(), { timeout: 1000 }],
  "DmaBuf.moveSync()": () => [segments(), { timeout: 1000 }],
  "DmaBuf.moveNotify()": () => [NOW],
  "DmaBuf.moveNotifySync()": () => [NOW],
  "DmaBuf.seek()": () => [0, "end"],
  "Heap.allocate()": () => [4096, {}],
  "Heaps.get()": () => ["system"],
  "Heaps.add()": () => ["heap", { allocate: () => ({ segments: segments() }) }],
  "BufferMembers.allocate()": () => [4096, {}],
  "BufferMembers.createUdmabuf()": () => [segments(), {}],
  "BufferMembers.createPagedBuffer()": () => [{ size: 4096, fill() {} }],
  "BufferMembers.export()": () => [segments(), { ops: noOps }],
  "AllMembers.import() of buffer": (world) => [fields(world.buffer().handle())],
  "AllMembers.import() of fence, plain": (world) => [fields(world.fence().handle())],
  "AllMembers.import() of fence, array": (world) => [fields(world.domain.createFenceArray([world.fence()]).handle())],
  "AllMembers.import() of fence, chain": (world) => [
    fields(world.domain.createFenceChain(undefined, world.fence(), 1).handle()),
  ],
  "AllMembers.import() of fence, signaled": ({ domain }) => [fields(domain.stubFence(1).handle())],
  "AllMembers.import() of sync-file": (world) => [fields(world.syncFile().handle())],
  "AllMembers.import() of syncobj": ({ domain }) => [fields(domain.createSyncobj().handle())],
  "AllMembers.import() of user-fence": ({ domain }) => [fields(domain.createUserFence().handle())],
  "AllMembers.import() of software-timeline": ({ domain }) => [fields(domain.createSoftwareTimeline().handle())],
  "AllMembers.import() of stream": (world) => [fields(world.stream().handle())],
  "Timeline.signal()": () => [1, "EIO", 1],
  "Timeline.close()": () => ["EIO"],
  "FenceMembers.createTimeline()": () => [{}],
  "SoftwareTimeline.createFence()": () => [1],
  "SoftwareTimeline.advance()": () => [1],
  "SoftwareTimeline.deadline()": (_world, timeline: ReturnType<JoinedDomain["createSoftwareTimeline"]>) => [
    timeline.createFence(1),
  ],
  "FenceMembers.createSoftwareTimeline()": () => [{}],
  "FenceMembers.createFence()": ({ domain }) => [OPS, domain.allocateContexts(1), 1],
  "FenceMembers.fenceFrom()": () => [Promise.resolve(), {}],
  "FenceMembers.allocateContexts()": () => [1],
  "ExplainMembers.explain()": (world) => [world.fence()],
  "FenceMembers.createFenceArray()": (world) => [[world.fence()], {}],
  "FenceMembers.createFenceChain()": (world) => [world.fence(), world.fence(), 1],
  "FenceMembers.mergeFences()": (world) => [[world.fence()]],
  "FenceMembers.stubFence()": () => [1],
  "FenceMembers.createSyncFile()": (world) => [world.fence(), "name"],
  "Syncobj.wait()": ({ domain }) => [[domain.createSyncobj({ signaled: true })], NOW],
  "Syncobj.waitSync()": ({ domain }) => [[domain.createSyncobj({ signaled: true })], NOW],
  "Syncobj.reset()": ({ domain }) => [[domain.createSyncobj()]],
  "Syncobj.signal()": ({ domain }) => [[domain.createSyncobj()]],
  "Syncobj.signalPoints()": ({ domain }) => [[{ syncobj: domain.createSyncobj(), point: 1 }]],
  "Syncobj.query()": ({ domain }) => [[domain.createSyncobj()], {}],
  "Syncobj.transfer()": ({ domain }) => [
    { syncobj: domain.createSyncobj({ signaled: true }), point: 0 },
    { syncobj: domain.createSyncobj(), point: 1 },
  ],
  "Syncobj.transferWhenSubmitted()": ({ domain }) => [
    { syncobj: domain.createSyncobj({ signaled: true }), point: 0 },
    { syncobj: domain.createSyncobj(), point: 1 },
    NOW,
  ],
  "Syncobj.transferWhenSubmittedSync()": ({ domain }) => [
    { syncobj: domain.createSyncobj({ signaled: true }), point: 0 },
    { syncobj: domain.createSyncobj(), point: 1 },
    NOW,
  ],
  "Syncobj.replaceFence()": (world) => [world.fence()],
  "Syncobj.addPoint()": (world) => [1, world.fence()],
  "Syncobj.signalPoint()": () => [1],
  "Syncobj#query()": () => [{}],
  "Syncobj#wait()": () => [NOW],
  "Syncobj#waitSync()": () => [NOW],
  "Syncobj.exportSyncFile()": () => [0],
  "Syncobj.importSyncFile()": (world) => [world.syncFile(), 1],
  "Syncobj.onPoint()": () => [1, () => {}, {}],
  "SyncobjMembers.createSyncobj()": () => [{}],
  "UserFenceMembers.createUserFence()": () => [{}],
  "UserFence.wait()": () => [NOW],
  "UserFence.waitSync()": () => [NOW],
  "UserFence.signalAfter()": (world) => [world.fence()],
  "BufferMembers.lockAll()": (world) => [[world.buffer()], NOW],
  "BufferMembers.lockAllSync()": (world) => [[world.buffer()], NOW],
  "FrameStream.waitForConsumers()": () => [0, NOW],
  "FrameStream.waitForConsumersSync()": () => [0, NOW],
  "Consumer.next()": () => [NOW],
  "Consumer.nextSync()": () => [NOW],
  "FrameStream.frames()": () => [{}],
  "Loan.publish()": () => [{}],
  "FrameStream.loans()": () => [NOW],
  "FrameStream.loan()": () => [NOW],
  "FrameStream.loanSync()": () => [NOW],
  "FrameStream.fail()": () => ["EIO"],
  "StreamMembers.createStream()": () => [{ format: rawFormat(64), buffers: 2 }],
  "Queue.submit()": (world) => [{ reads: [world.buffer()] }, NOW],
  "Queue.submitSync()": (world) => [{ reads: [world.buffer()] }, NOW],
  "Queue.trySubmit()": (world) => [{ reads: [world.buffer()] }],
  "Queue.flush()": () => [NOW],
  "Scheduler.createQueue()": () => [{}],
  "DmaBuf.evict()": () => [NOW],
  "DmaBuf.evictSync()": () => [NOW],
  "LongRunningQueue.submit()": (world) => [{ buffers: [world.buffer()] }],
  "LongRunningScheduler.createQueue()": () => [{}],
  "LongRunningJob.access()": (_world, job: LongRunningJob) => [job.buffers[0]],
  "LongRunningJob.safePoint()": () => [],
  "Job.access()": (_world, job: Job) => [job.reads[0]],
  "QueueMembers.createExecutor()": () => [{ slots: 1, sharing: "preempt" }],
  "QueueMembers.createScheduler()": () => [{ run: () => {} }],
  "Heaps.addModuleMemory()": () => ["module", moduleMemory()],
  "WindowMembers.createModuleWindow()": (world) => [moduleMemory(), world.buffer(), {}],
  "ModuleWindow.pointerTo()": (world) => [world.shown],
  "ModuleWindow.call()": () => [() => 0],
  "QueueMembers.createQueue()": () => [{ run: () => {} }],
  "Domain.create()": () => [SIZES],
  ...INVITED,
  "isSameFence()": (world) => [world.fence(), world.fence()],
  "laterFence()": (world) => [world.fence(), world.fence()],
  "FenceArray.matchContext()": () => [1],
  "findSeqno()": (world) => [world.domain.createFenceChain(undefined, world.fence(), 1), 1],
  "newestOfEachContext()": (world) => [[world.fence()]],
  "unwrap()": (world) => [world.fence()],
  "waitAll()": (world) => [[world.fence()], NOW],
  "waitAllSync()": (world) => [[world.fence()], NOW],
  "waitAny()": (world) => [[world.fence()], NOW],
  "waitAnySync()": (world) => [[world.fence()], NOW],
  "usageFor()": () => ["read"],
  "imageFormat()": () => ["RGBA", 4, 4, {}],
  "rawFormat()": () => [64],
  "audioFormat()": () => [{ channels: 2, rate: 48_000, samples: 128 }],
  "tensorFormat()": () => [[2, 3], "float32"],
};

/** What is taken although it looks like nonsense. */
export const EXCEPTIONS: Exceptions = {
  // The validator alone makes reports.
  ...Object.fromEntries(
    ["code", "message", "places", "circle"].map((name) => [`new ValidationReport() ${name}`, ["*"]]),
  ),
  // In a domain that is not validated its options are not looked at.
  ...Object.fromEntries(
    ["ThreadDomain.create()", "Domain.create()", "Domain.join()"].map((id) => [
      `${id} options.validate`,
      ["a throwing proxy"],
    ]),
  ),
  // The names of sync files are cut, as the kernel does it.
  "FenceMembers.createSyncFile() name": ["100 kB of text"],
  "SyncFile.merge() name": ["100 kB of text"],
  "AllMembers.import() of sync-file handle.name": ["100 kB of text"],
  // An agent that holds the buffer knows its storage.
  "AllMembers.import() of buffer handle.segments": ["*"],
  // Numbers that wrap: it is an earlier version or generation, which is another matter.
  "AllMembers.import() of buffer handle.version": ["-1"],
  "AllMembers.import() of fence, plain handle.generation": ["-1"],
  // Whether the stream is gone shows when it is joined.
  "AllMembers.import() of stream handle.generation": ["-1"],
  // Without it they make ordinary queues, which do not look at the options of long-running ones.
  "QueueMembers.createScheduler() options.longRunning": ["undefined"],
  "QueueMembers.createQueue() options.longRunning": ["undefined"],
  "LongRunningJob.safePoint() until": ["undefined"],
  "QueueMembers.createScheduler() options.preemptLimit": ["*"],
  "QueueMembers.createQueue() options.preemptLimit": ["*"],
  // What a user's code gives back is used as a promise: the fence fails as it does.
  "FenceMembers.fenceFrom() promise": ["a throwing proxy"],
  // JSON carries them all in its way.
  "Loan.publish() options.data": [
    "NaN",
    "-1",
    "1.5",
    "Infinity",
    "-Infinity",
    "9007199254740992",
    "[]",
    "[undefined]",
    "a date",
    "half a pair",
    "NUL",
    // It is too long, which is said.
    "100 kB of text",
  ],
};

/** What may be of any domain: it is only asked, or all that the function is about is of that one. */
export const OF_ANY_DOMAIN: ReadonlySet<string> = new Set([
  ...["FenceMembers.createSyncFile()", "findSeqno()", "unwrap()"].map((id) => `${id} fence`),
  ...["waitAll()", "waitAllSync()", "waitAny()", "waitAnySync()", "newestOfEachContext()"].map((id) => `${id} fences`),
  ...["wait", "waitSync"].map((member) => `Syncobj.${member}() entries`),
  ...["reset", "signal", "query"].map((member) => `Syncobj.${member}() syncobjs`),
  "Syncobj.signalPoints() points",
  "Fence.isLater() other",
  "Fence.isLaterOrSame() other",
  ...["isSameFence()", "laterFence()"].flatMap((id) => [`${id} a`, `${id} b`]),
  // A promise is of none.
  "FenceMembers.fenceFrom() promise",
  // A module's memory is of none, and a window shows what its thread has, of any.
  ...["Heaps.addModuleMemory() memory", "WindowMembers.createModuleWindow() memory"],
  "WindowMembers.createModuleWindow() source",
]);
