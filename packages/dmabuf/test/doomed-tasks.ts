import { agentOf } from "../src/domain-base.js";
import { endKey } from "../src/domain/fence-slot.js";
import { ERRNO } from "../src/errors.js";
import { publish } from "../src/fence/published-fence.js";
import {
  rawFormat,
  type DmaBuf,
  type Fence,
  type JoinedDomain,
  type BufferHandleData,
  type SoftwareTimelineHandle,
  type StreamHandleData,
  type Usage,
} from "../src/index.js";

/** What the agent that may die has got from the one that lives on. */
export interface Given {
  readonly buffers: readonly [DmaBuf, DmaBuf];
  /** A handle to a third buffer. */
  readonly handle: BufferHandleData;
  /** With a frame in it, and one more loan. */
  readonly stream: StreamHandleData;
  readonly timeline: SoftwareTimelineHandle;
  /** A pending fence of the other agent. */
  readonly fence: Fence;
}

/** Everything that an agent does in shared memory by itself, one protocol each. Nothing in them waits for long. */
export const MORTAL_TASKS: Record<string, (domain: JoinedDomain, given: Given) => void> = {
  "exports a buffer, names it and frees it"(domain) {
    using buffer = domain.allocate(1);
    buffer.name = "renamed";
  },
  "sends a handle and takes it back"(_domain, { buffers: [buffer] }) {
    using _handle = buffer.handle();
  },
  "sends a handle to a buffer that it frees"(domain) {
    using buffer = domain.allocate(1);
    buffer.handle();
  },
  "imports a buffer and closes it"(domain, { handle }) {
    using _buffer = domain.import(handle);
  },
  "writes to a buffer"(_domain, { buffers: [buffer] }) {
    using _access = buffer.accessSync("write", { timeout: 0 });
  },
  "reads a buffer, then writes to it"(_domain, { buffers: [buffer] }) {
    buffer.accessSync("read", { timeout: 0 })[Symbol.dispose]();
    using _access = buffer.tryAccess("write");
  },
  "attaches to a buffer and maps it"(_domain, { buffers: [buffer] }) {
    using attachment = buffer.attachSync();
    using _lock = buffer.reservation.lockSync();
    attachment.mapLockedSync().unmapLocked();
  },
  "opens a timeline, signals and fails fences, and closes it"(domain) {
    const timeline = domain.createTimeline();
    const fences = [1, 2, 3].map(() => timeline.createFence());
    fences[0]!.signal();
    fences[1]!.setError("EIO");
    fences[1]!.signal();
    timeline.close();
  },
  "sends fences of its own, and signals one of them"(domain) {
    const fences = [1, 2].map(() => domain.createFence({ driverName: "driver", timelineName: "line" }));
    for (const fence of fences) fence.handle();
    fences[0]!.signal();
  },
  "begins to wait for another agent's fence"(_domain, { fence }) {
    fence.addCallback(() => {});
    fence.setDeadline(1_000);
  },
  "advances another agent's timeline, and one of its own"(domain, { timeline }) {
    using theirs = domain.import(timeline);
    theirs.advance();
    using mine = domain.createSoftwareTimeline();
    mine.createFence(1);
    mine.advance();
  },
  "adds fences to a buffer, and signals one of them"(domain, { buffers: [buffer] }) {
    const timeline = domain.createTimeline();
    const single = domain.createFence({ driverName: "driver", timelineName: "line" });
    addFence(buffer, timeline.createFence(), "write");
    addFence(buffer, single, "read");
    single.signal();
  },
  "finishes its work on a buffer after the time limits of its fences"(domain, { buffers: [buffer] }) {
    using timeline = domain.createTimeline();
    const fences = [timeline.createFence(), domain.createFence({ driverName: "driver", timelineName: "line" })];
    for (const fence of fences) {
      addFence(buffer, fence, "write");
      endKey(agentOf(domain), publish(fence), ERRNO.ETIMEDOUT, 1);
    }
    for (const fence of fences) fence.signal();
  },
  "replaces the fences of one buffer by those of another"(domain, { buffers: [one, two] }) {
    const fence = domain.createTimeline().createFence();
    addFence(one, fence, "write");
    using _context = domain.lockAllSync([one, two]);
    two.reservation.copyFences(one.reservation);
    one.reservation.replaceFences(fence.context, domain.createTimeline().createFence(), "write");
  },
  "moves fences from one buffer to another by a sync file"(domain, { buffers: [one, two] }) {
    addFence(one, domain.createTimeline().createFence(), "write");
    using file = one.exportSyncFile("write");
    two.importSyncFileSync("write", file);
    file.handle();
    domain.mergeFences([file.fence]);
  },
  "shares a syncobj and changes it"(domain) {
    using syncobj = domain.createSyncobj();
    using again = domain.import(structuredClone(syncobj.handle()));
    again.addPoint(1, domain.createTimeline().createFence());
    syncobj.signalPoint(2);
    again.reset();
  },
  "shares a user fence and signals it"(domain) {
    using fence = domain.createUserFence({ name: "done" });
    using again = domain.import(structuredClone(fence.handle()));
    again.waitSync({ timeout: 0.001 });
    fence.signal();
  },
  "signals a memory fence"(_domain, { buffers: [buffer] }) {
    using fence = buffer.memoryFence({ value: 1 });
    fence.waitSync({ timeout: 0.001 });
    fence.signal();
  },
  "produces a stream of its own"(domain) {
    using stream = domain.createStream({ format: rawFormat(1), buffers: 2, dataBytes: 0 });
    stream.handle();
    for (let frame = 0; frame < 3; frame++) stream.loanSync({ timeout: 0 })!.publish();
    stream.end();
  },
  "consumes another agent's stream"(domain, { stream }) {
    using mine = domain.import(stream);
    using consumer = mine.frames();
    using _frame = consumer.nextSync({ timeout: 0 });
  },
  "looks for loans and frames, and waits for none"(domain, { stream }) {
    using own = domain.createStream({ format: rawFormat(2), buffers: 2, dataBytes: 0 });
    own.tryLoan()!.publish({ length: 1 });
    using loan = own.tryLoan()!;
    addFence(loan.buffer, domain.createTimeline().createFence(), "read");
    loan.close();
    // It passes over the buffer that is read, and uses the other one again.
    own.tryLoan()!.publish();
    using mine = domain.import(stream);
    using consumer = mine.frames();
    using _frame = consumer.tryNext();
    consumer.tryNext();
  },
  "works on another agent's stream in a group"(domain, { stream }) {
    using mine = domain.import(stream);
    using consumer = mine.frames({ group: "workers" });
    consumer.nextSync({ timeout: 0 })!.close();
    using other = mine.frames({ group: "others" });
    other.nextSync({ timeout: 0 });
  },
  "leaves the domain with all that it has"(domain, { buffers: [buffer], stream }) {
    addFence(buffer, domain.createTimeline().createFence(), "write");
    buffer.handle();
    domain.createStream({ format: rawFormat(1), buffers: 1, dataBytes: 0 }).loanSync();
    domain.import(stream).frames().nextSync();
    domain.close();
  },
};

function addFence({ reservation }: DmaBuf, fence: Fence, usage: Usage): void {
  using _lock = reservation.lockSync();
  reservation.reserveFences(1);
  reservation.addFence(fence, usage);
}
