/* eslint-disable max-lines -- one list of all public calls */
import { once } from "node:events";
import { createWriteStream, fstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { agentOf } from "../../src/domain-base.js";
import { rawFormat, type DmaBuf, type FrameStream, type PagedBuffer } from "../../src/index.js";
import {
  ProcessDomain,
  readableFrom,
  StreamContributor,
  StreamViewer,
  WorkerPool,
  writableFrom,
  type DomainObserver,
} from "../../src/node/index.js";
import { peekMessage } from "../../src/node/system-calls/index.js";

/** Two agents of one domain, both in the calling thread, and where they can be reached. */
export interface World {
  readonly first: ProcessDomain;
  readonly second: ProcessDomain;
  /** Where the first one listens. */
  readonly place: string;
  /** For sockets of a call's own. */
  readonly folder: string;
  /** For streams: no other world of the domain has the same. */
  readonly name: string;
}

export const SIZES = {
  agents: 6,
  buffers: 16,
  timelines: 8,
  oneShots: 8,
  streams: 4,
  requests: 4,
  syncobjs: 4,
  userFences: 4,
};

/** One public function, as a test calls it again and again. */
export interface PublicCall<Given = unknown> {
  /** Makes what the call needs. */
  readonly before?: (world: World, keep: Keep) => Given | Promise<Given>;
  /** Whether a call that fails may use up what it was given: a handle's first import ends the handle's own hold. */
  readonly usesUp?: boolean;
  /**
   * Whether it makes a view of memory, or what it needs does: koffi ends the process if its worker is terminated in the
   * middle of that (docs/limits.md).
   */
  readonly views?: boolean;
  /** Calls it. What it gives is disposed afterwards, and then all is as it was before. */
  readonly call: (world: World, given: Given) => unknown;
}

/** Takes note of something that is disposed at the end. */
type Keep = <T extends Disposable>(made: T) => T;

/** Two agents for as long as `act` runs. */
export async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  const place = join(folder, "place");
  try {
    using first = ProcessDomain.listen(place, { ...SIZES, name: "first" });
    using second = await ProcessDomain.connect(place, { name: "second" });
    await act({ first, second, place, folder, name: "frames" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Makes what a call needs, calls it, and gives everything back. */
export async function callOnce(world: World, { before, call }: PublicCall): Promise<void> {
  const kept: Disposable[] = [];
  const given = await before?.(world, (made) => {
    kept.push(made);
    return made;
  });
  const result = (await call(world, given)) as Partial<Disposable> | undefined;
  result?.[Symbol.dispose]?.();
  for (const made of kept.reverse()) made[Symbol.dispose]();
}

const FORMAT = rawFormat(4096);
const MODULE_MEMORY = new WebAssembly.Memory({ initial: 1 });

export const PUBLIC_CALLS: Record<string, PublicCall> = {
  "ProcessDomain.create": { views: true, call: () => ProcessDomain.create(SIZES) },
  "ProcessDomain.listen": { views: true, call: ({ folder }) => ProcessDomain.listen(join(folder, "other"), SIZES) },
  "ProcessDomain.connect": { views: true, call: ({ place }) => ProcessDomain.connect(place) },
  "ProcessDomain.observe": { views: true, call: observe },
  "ProcessDomain.domains": { views: true, call: () => void ProcessDomain.domains() },
  "observer.bytesOf": made({
    views: true,
    before: (world, keep) => [keep(observe(world)), keep(world.first.allocate(1)).inode] as const,
    call: (_world, [observer, inode]) => void observer.bytesOf(inode),
  }),
  "observer.snapshot": made({
    views: true,
    before: (world, keep) => keep(observe(world)),
    call: (_world, observer) => void observer.snapshot(),
  }),
  "observer.agents, statistics and explain": made({
    views: true,
    before: (world, keep) => keep(observe(world)),
    call: (_world, observer) => void [observer.agents, observer.statistics(), observer.isEnded, observer.explain()],
  }),
  "domain.inviteProcess and ProcessDomain.inherit": {
    views: true,
    call: async ({ first }) => {
      const invitation = first.inviteProcess();
      const { ino } = fstatSync(invitation.descriptor);
      try {
        return await ProcessDomain.inherit(invitation);
      } catch (error) {
        // What it could not prove to be an invitation it has left open. What it has taken it closes, also later.
        const { descriptor } = invitation;
        if (inodeOf(descriptor) === ino && hasGreeting(descriptor)) invitation[Symbol.dispose]();
        throw error;
      }
    },
  },
  "domain.listen": made({
    views: true,
    before: (_world, keep) => keep(ProcessDomain.create(SIZES)),
    call: ({ folder }, domain) => domain.listen(join(folder, "other")),
  }),
  "domain.invite": made({
    views: true,
    before: (_world, keep) => keep(ProcessDomain.create(SIZES)),
    call: (_world, domain) => void domain.invite(),
  }),
  "domain.inviteProcess": made({
    views: true,
    before: (_world, keep) => keep(ProcessDomain.create(SIZES)),
    call: (_world, domain) => domain.inviteProcess(),
  }),
  "domain.fork": made({
    views: true,
    before: (_world, keep) => keep(ProcessDomain.create(SIZES)),
    call: async (_world, domain) => {
      await once(domain.fork("a program", [], { execPath: "/bin/true" }), "exit");
    },
  }),
  "domain.shareWithWorkers": made({
    views: true,
    before: (_world, keep) => keep(ProcessDomain.create(SIZES)),
    call: (_world, domain) => domain.shareWithWorkers(),
  }),
  "ProcessDomain.inherit, of a domain that is shared": {
    views: true,
    before: (_world, keep) => keep(ProcessDomain.create(SIZES)).shareWithWorkers(),
    call: () => ProcessDomain.inherit(),
  },
  "WorkerPool.create, and a queue": {
    call: ({ first }) => using(WorkerPool.create(first, "a module"), (pool) => pool.createQueue().close()),
  },
  "domain.allocate": { call: ({ first }) => first.allocate(100_000) },
  "domain.allocate, and its bytes": {
    views: true,
    call: ({ first }) => using(first.allocate(100_000), (buffer) => buffer.accessSync("write").bytes.fill(1)),
  },
  "domain.openFile": made({
    before: ({ first }, keep) => keep(first.allocate(100_001, { exact: true })),
    call: ({ first }, buffer) => first.openFile(buffer),
  }),
  "domain.createMemory": { views: true, call: ({ first }) => first.createMemory(8192) },
  "domain.export": made({
    views: true,
    before: ({ first }, keep) => keep(first.createMemory(16_384)),
    call: ({ first }, { memory }) => first.export([{ memory, offset: 4096, length: 8192 }]),
  }),
  "domain.createPagedBuffer": {
    call: ({ first }) => first.createPagedBuffer({ size: 10_000, name: "paged", fill() {} }),
  },
  "paged.fault": made({
    views: true,
    before(world, keep) {
      const buffer = keep(world.second.import(structuredClone(keep(paged(world, keep).handle()))));
      return buffer as PagedBuffer;
    },
    call: async (_world, buffer) => using(await buffer.fault(4096, 2), ({ bytes }) => bytes.fill(1)),
  }),
  "paged.pin, and an access": made({
    views: true,
    before: paged,
    call: async (_world, buffer) => {
      using _pin = await buffer.pin();
      looked(buffer.accessSync("read"));
    },
  }),
  "buffer.handle": made({
    before: ({ first }, keep) => keep(first.allocate(1)),
    call: (_world, buffer) => buffer.handle(),
  }),
  "domain.import": made({ before: sent, call: ({ second }, handle) => second.import(handle) }),
  "domain.import, read-only": made({
    views: true,
    before: (world, keep) => structuredClone(keep(keep(world.first.allocate(1)).handle("read"))),
    call: ({ second }, handle) => using(second.import(handle), (buffer) => void buffer.accessSync("read").bytes[0]),
  }),
  "buffer.access": made({
    views: true,
    before: imported,
    call: async (_world, buffer) => using(await buffer.access("write"), ({ bytes }) => bytes.fill(1)),
  }),
  "buffer.accessSync": made({
    views: true,
    before: imported,
    call: (_world, buffer) => looked(buffer.accessSync("read")),
  }),
  "buffer.tryAccess": made({
    views: true,
    before: imported,
    call: (_world, buffer) => looked(buffer.tryAccess("write")!),
  }),
  "buffer.attach, and a mapping": made({
    before: imported,
    call: async (_world, buffer) => {
      using attachment = buffer.attachSync();
      using _mapping = await attachment.map();
    },
  }),
  "buffer.move": made({
    views: true,
    before: async (world, keep) => ({
      buffer: keep(world.first.allocate(1)),
      memory: keep(world.first.createMemory(4096)),
    }),
    call: (_world, { buffer, memory }) => buffer.move([memory]),
  }),
  "domain.createModuleWindow and window.pointerTo": {
    before: ({ first }, keep) => keep(first.createStream({ format: FORMAT, buffers: 2 })),
    call({ first }, stream) {
      const window = first.createModuleWindow(MODULE_MEMORY, stream as FrameStream);
      using loan = (stream as FrameStream).loanSync();
      if (loan !== undefined) window.pointerTo(loan);
      return window;
    },
  },
  "domain.createStream": { call: ({ first }) => first.createStream({ format: FORMAT, buffers: 3 }) },
  "domain.import of a stream": made({
    before: (world, keep) => structuredClone(keep(streamOf(world, keep).handle())),
    usesUp: true,
    call: ({ second }, handle) => second.import(handle),
  }),
  "domain.findStream": made({
    before: streamOf,
    usesUp: true,
    call: ({ second, name }) => second.findStream(name, { timeout: 20_000 }),
  }),
  "stream.handle": made({
    before: streamOf,
    call: (_world, stream) => stream.handle(),
  }),
  "stream.frames": made({ before: found, call: (_world, { theirs }) => theirs.frames() }),
  "stream.loan, and its publishing": made({
    views: true,
    before: streamOf,
    call: async (_world, stream) => {
      const loan = (await stream.loan({ timeout: 20_000 }))!;
      try {
        loan.bytes.fill(1);
        loan.publish({ data: "of the frame" });
      } catch (error) {
        loan[Symbol.dispose]();
        throw error;
      }
    },
  }),
  "consumer.next": made({
    views: true,
    before: async (world, keep) => {
      const { mine, theirs } = await found(world, keep);
      const consumer = keep(theirs.frames());
      (await mine.loan())!.publish();
      return consumer;
    },
    call: async (_world, consumer) => looked((await consumer.next({ timeout: 20_000 }))!),
  }),
  readableFrom: made({
    views: true,
    usesUp: true,
    before: async (world, keep) => {
      const { mine, theirs } = await found(world, keep);
      const consumer = keep(theirs.frames());
      (await mine.loan())!.publish();
      mine.end();
      return consumer;
    },
    call: (_world, consumer) => pipeline(readableFrom(consumer), createWriteStream("/dev/null")),
  }),
  writableFrom: made({
    views: true,
    usesUp: true,
    before: async (world, keep) => streamOf(world, keep),
    call: (_world, stream) => pipeline(Readable.from([new Uint8Array(FORMAT.size)]), writableFrom(stream)),
  }),
  "domain.follow": made({
    views: true,
    before: async (world, keep) => {
      const stream = streamOf(world, keep);
      (await stream.loan())!.publish();
    },
    usesUp: true,
    call: async ({ second, name }) => {
      using follower = second.follow(name);
      using _frame = await follower.next({ timeout: 20_000 });
    },
  }),
  "domain.serveViewers and StreamViewer.connect": made({
    views: true,
    before: (world, keep) => {
      const stream = streamOf(world, keep);
      return keep(world.first.serveViewers(join(world.folder, "shown"), stream));
    },
    call: ({ folder }) => StreamViewer.connect(join(folder, "shown")),
  }),
  "domain.serveViewers": made({
    views: true,
    before: streamOf,
    call: ({ first, folder }, stream) => first.serveViewers(join(folder, "shown"), stream),
  }),
  "domain.serveContributors and StreamContributor.connect": made({
    views: true,
    before: (world, keep) => {
      const stream = streamOf(world, keep);
      return keep(world.first.serveContributors(join(world.folder, "filled"), stream));
    },
    call: ({ folder }) => StreamContributor.connect(join(folder, "filled")),
  }),
  "domain.serveContributors": made({
    views: true,
    before: streamOf,
    call: ({ first, folder }, stream) => first.serveContributors(join(folder, "filled"), stream),
  }),
  "contributor.loan, and its publish": made({
    views: true,
    before: async (world, keep) => {
      const stream = streamOf(world, keep);
      keep(world.first.serveContributors(join(world.folder, "filled"), stream));
      return keep(await StreamContributor.connect(join(world.folder, "filled")));
    },
    usesUp: true,
    call: async (_world, contributor) => {
      using loan = await contributor.loan({ timeout: 20_000 });
      await loan!.publish();
    },
  }),
  "domain.createTimeline": { call: ({ first }) => closing(first.createTimeline()) },
  "domain.softwareTimeline, and its handle": {
    call: ({ first, second }) => {
      using timeline = first.createSoftwareTimeline();
      using _again = second.import(timeline.handle());
    },
  },
  "fence.handle and domain.import": {
    call: ({ first, second }) => {
      using fence = first.createFence({ driverName: "driver", timelineName: "line" });
      using _again = second.import(fence.handle());
      fence.signal();
    },
  },
  "domain.fenceFrom": {
    call: async ({ first }) => {
      using fence = first.fenceFrom(Promise.resolve(1));
      await fence.wait();
    },
  },
  "domain.syncFile, and its handle": {
    call: ({ first, second }) => {
      using timeline = first.createSoftwareTimeline();
      using fence = timeline.createFence(1);
      using file = first.createSyncFile(fence);
      using _again = second.import(file.handle());
      timeline.advance(1);
    },
  },
  "domain.createSyncobj": { call: ({ first }) => first.createSyncobj() },
  "syncobj.handle and domain.import": made({
    before: ({ first }, keep) => keep(first.createSyncobj()),
    call: ({ second }, syncobj) => {
      using handle = syncobj.handle();
      using _again = second.import(structuredClone(handle));
    },
  }),
  "domain.createUserFence": { call: ({ first }) => first.createUserFence({ name: "done" }) },
  "userFence.handle and domain.import": made({
    before: ({ first }, keep) => keep(first.createUserFence()),
    call: ({ second }, fence) => {
      using handle = fence.handle();
      using _again = second.import(structuredClone(handle));
    },
  }),
  "userFence.wait, signalAfter and signal": {
    call: async ({ first, second }) => {
      using fence = first.createUserFence();
      using theirs = second.import(structuredClone(fence.handle()));
      using after = first.createUserFence();
      after.signalAfter(first.stubFence());
      const wait = theirs.wait();
      fence.signal();
      await wait;
    },
  },
  "buffer.memoryFence, and its handle": made({
    views: true,
    before: imported,
    call: ({ first }, buffer) => {
      using fence = buffer.memoryFence({ offset: 0, value: 1 });
      using handle = fence.handle();
      using theirs = first.import(structuredClone(handle));
      theirs.signal();
      fence.isSignaled();
    },
  }),
  "domain.lockAll": made({
    before: imported,
    call: ({ second }, buffer) => second.lockAll([buffer]),
  }),
  "domain.createExecutor": { call: ({ first }) => void first.createExecutor({ slots: 1, sharing: "flush" }) },
  "domain.createQueue": { call: ({ first }) => first.createQueue({ name: "queue", run: () => undefined }) },
  "queue.submit": made({
    before: ({ first }, keep) => ({
      buffer: keep(first.allocate(1)),
      queue: keep(first.createQueue({ name: "queue", run: (job) => void job })),
    }),
    call: async (_world, { buffer, queue }) => {
      const finished = await queue.submit({ data: undefined, writes: [buffer] });
      await finished.wait();
    },
  }),
  "domain.createQueue of long-running jobs": {
    call: ({ first }) => first.createQueue({ longRunning: true, name: "queue", run: () => undefined }),
  },
  "longRunningQueue.submit": made({
    before: ({ first }, keep) => ({
      buffer: keep(first.allocate(1)),
      queue: keep(first.createQueue({ longRunning: true, name: "queue", run: (job) => job.safePoint() })),
    }),
    call: async (_world, { buffer, queue }) => {
      using ended = queue.submit({ data: undefined, buffers: [buffer] });
      await ended.wait();
    },
  }),
  "buffer.evict": made({
    before: imported,
    call: (_world, buffer) => buffer.evict(),
  }),
  "descriptors.offer": { call: ({ first }) => first.descriptors.offer("output", 1) },
  "domain.explain": made({
    before: (world, keep) => {
      const buffer = imported(world, keep);
      return { buffer, access: keep(buffer.tryAccess("read")!) };
    },
    call: ({ first, second }, { buffer }) => void [first.explain(), second.explain(buffer).tree],
  }),
  "domain.statistics": { call: ({ first }) => void first.statistics() },
};

function inodeOf(descriptor: number): number | undefined {
  try {
    return fstatSync(descriptor).ino;
  } catch {
    return undefined;
  }
}

/** Whether an invitation was not taken yet. */
function hasGreeting(descriptor: number): boolean {
  const bytes = Buffer.alloc(13);
  peekMessage(descriptor, bytes);
  return bytes.toString() === '{"invitation"';
}

/** With the type of what `before` gives. */
function made<Given>(call: PublicCall<Given>): PublicCall {
  return call as PublicCall;
}

/** The process that listens there may just have another domain, too. */
function observe({ first, place }: World): DomainObserver {
  return ProcessDomain.observe(place, { domain: agentOf(first).domain });
}

function sent(world: World, keep: Keep): ReturnType<DmaBuf["handle"]> {
  return structuredClone(keep(keep(world.first.allocate(1)).handle()));
}

function imported(world: World, keep: Keep): DmaBuf {
  return keep(world.second.import(sent(world, keep)));
}

function paged({ first }: World, keep: Keep): PagedBuffer {
  return keep(first.createPagedBuffer({ size: 10_000, fill: (_offset, bytes) => void bytes.fill(7) }));
}

function streamOf({ first, name }: World, keep: Keep): FrameStream {
  return keep(first.createStream({ name, format: FORMAT, buffers: 2 }));
}

async function found(world: World, keep: Keep): Promise<{ mine: FrameStream; theirs: FrameStream }> {
  const mine = streamOf(world, keep);
  return { mine, theirs: keep(await world.second.findStream(world.name, { timeout: 20_000 })) };
}

function looked<T extends Disposable & { readonly bytes: Uint8Array }>(access: T): T {
  return using(access, ({ bytes }) => void bytes[0]);
}

/** Does something with what was made, and disposes that if it fails. */
function using<T extends Disposable>(made: T, act: (made: T) => void): T {
  try {
    act(made);
    return made;
  } catch (error) {
    made[Symbol.dispose]();
    throw error;
  }
}

function closing(made: { close(): void }): Disposable {
  return { [Symbol.dispose]: () => made.close() };
}
