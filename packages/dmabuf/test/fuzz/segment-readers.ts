import { agentOf } from "../../src/domain-base.js";
import { storedCopies } from "../../src/buffer/copy-slot.js";
import { BUFFER_SLOTS, bufferInode, exporterFlags } from "../../src/buffer/buffer-slot.js";
import { readSegment } from "../../src/explain/segment-snapshot.js";
import { deadIn, liveIn } from "../../src/domain/agent-slot.js";
import { abandonRequests, postedRequests } from "../../src/buffer/request-slot.js";
import { rawFormat, type AccessMode, type DmaBuf, type Usage } from "../../src/index.js";
import type { BareDomain } from "../bare-domain.js";
import type { BusySegment } from "./busy-segment.js";
import { userOf } from "../../src/reservation/reservation.js";

/** What a newcomer does with a domain. */
export type Reader = (domain: BareDomain, segment: BusySegment) => void;

const USAGES: readonly Usage[] = ["kernel", "write", "read", "bookkeep"];
const MODES: readonly AccessMode[] = ["read", "write"];
/** Longer than any time limit of a fence: no agent really sleeps. */
const PATIENT = { timeout: 30_000 };

/** Everything that reads the control segment, step by step. What one refuses, the next may still do. */
export const READERS: Record<string, Reader> = {
  statistics: (domain) => void domain.statistics(),
  "buffers as text": (domain) => void domain.bufferInfo(),
  agents: (domain) => void domain.agents,
  "a snapshot": (domain) => void readSegment(agentOf(domain), 0, 0),
  copies: (domain) => void storedCopies(agentOf(domain)),
  "posted requests": (domain) => void postedRequests(agentOf(domain)),
  ...forEachBuffer({
    texts: (buffer) => void [buffer.describe(), buffer.name, buffer.exporterName, buffer.inode],
    rename: (buffer) => (buffer.name = "new"),
    queries(buffer) {
      for (const usage of USAGES) {
        buffer.reservation.testSignaled(usage);
        buffer.reservation.testFinished(usage);
        buffer.reservation.getOverdueFences(usage);
        userOf(buffer.reservation).overdueWork(usage)?.describe();
        buffer.reservation.getSingleton(usage)?.describe();
        buffer.reservation.setDeadline(usage, 1_000);
      }
      buffer.reservation.describe();
    },
    "waits for fences"(buffer) {
      for (const usage of USAGES) buffer.reservation.waitSync(usage, PATIENT);
    },
    accesses(buffer) {
      for (const mode of MODES) buffer.tryAccess(mode)?.[Symbol.dispose]();
    },
    "waits for accesses"(buffer) {
      for (const mode of MODES) buffer.accessSync(mode, PATIENT)[Symbol.dispose]();
    },
    "sync files"(buffer) {
      for (const mode of MODES) buffer.exportSyncFile(mode).info();
    },
    lock(buffer, domain) {
      using _lock = buffer.reservation.lockSync(undefined, PATIENT);
      for (const { fence } of buffer.reservation.lockedFences()) void [fence.status, fence.timestamp, fence.describe()];
      buffer.reservation.reserveFences(1);
      buffer.reservation.addFence(domain.createTimeline().createFence(), "write");
    },
    "adds a published fence"(buffer, domain) {
      using _lock = buffer.reservation.lockSync(undefined, PATIENT);
      buffer.reservation.reserveFences(2);
      const fence = domain.createFence({ driverName: "driver", timelineName: "line" });
      buffer.reservation.addFence(fence, "read");
      fence.signal();
      buffer.reservation.replaceFences(fence.context, domain.createTimeline().createFence(), "write");
    },
    imports(buffer, domain) {
      using timeline = domain.createSoftwareTimeline();
      buffer.importSyncFileSync("write", domain.createSyncFile(timeline.createFence(1)), PATIENT);
      timeline.advance();
    },
    attaches(buffer, domain) {
      if (asksExporter(buffer, domain)) return;
      using attachment = buffer.attachSync();
      using _lock = buffer.reservation.lockSync(undefined, PATIENT);
      attachment.mapLockedSync().unmapLocked();
    },
    maps(buffer, domain) {
      if (!asksExporter(buffer, domain)) buffer.mmap()[Symbol.dispose]();
    },
    "sends a handle": (buffer) => buffer.handle()[Symbol.dispose](),
  }),
  ...forEachFence(),
  "software timeline"(domain, { timeline }) {
    using theirs = domain.import(timeline);
    theirs.createFence(theirs.value + 1).waitSync(PATIENT);
    theirs.advance(2);
  },
  syncobj(domain, { syncobj }) {
    using theirs = domain.import(syncobj);
    theirs.query();
    theirs.fence?.describe();
    theirs.signalPoint(9);
    theirs.addPoint(10, domain.createTimeline().createFence());
    theirs.exportSyncFile(10).info();
    theirs.reset();
  },
  "waits for a syncobj"(domain, { syncobj }) {
    using theirs = domain.import(syncobj);
    for (const point of [0, 2, 50]) theirs.waitSync({ ...PATIENT, point, forSubmit: true });
  },
  "own syncobj"(domain) {
    using mine = domain.createSyncobj();
    using again = domain.import(structuredClone(mine.handle()));
    mine.addPoint(1, domain.createTimeline().createFence());
    again.query();
  },
  "user fence"(domain, { userFence }) {
    using theirs = domain.import(userFence);
    theirs.waitSync(PATIENT);
    void theirs.name;
    theirs.handle().close();
    theirs.signal();
    theirs.waitSync();
  },
  "own user fence"(domain) {
    using mine = domain.createUserFence();
    using again = domain.import(structuredClone(mine.handle()));
    mine.signal();
    again.isSignaled();
  },
  ...forEachPolicy(),
  "own stream"(domain) {
    using stream = domain.createStream({ format: rawFormat(1), buffers: 2, dataBytes: 0 });
    stream.handle();
    using consumer = stream.frames();
    for (let frame = 0; frame < 3; frame++) {
      stream.loanSync(PATIENT)!.publish();
      consumer.nextSync(PATIENT)![Symbol.dispose]();
    }
    stream.end();
  },
  "own buffer": (domain) => domain.allocate(1, { name: "mine" }).close(),
  "own exporter"(domain) {
    const storage = [{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }];
    const ops = { map: () => storage, unmap() {}, release() {}, beginCpuAccess() {} };
    using buffer = domain.export(storage, { ops });
    buffer.accessSync("write", PATIENT)[Symbol.dispose]();
  },
  "own timeline"(domain) {
    const timeline = domain.createTimeline();
    for (let i = 0; i < 3; i++) {
      const fence = timeline.createFence();
      if (i === 1) fence.setError("EIO");
      fence.signal();
      void [fence.status, fence.timestamp];
    }
    timeline.createFence().waitSync(PATIENT);
    timeline.close();
  },
  "own fence"(domain) {
    const fence = domain.createFence({ driverName: "driver", timelineName: "line" });
    const handle = fence.handle();
    fence.setError("EIO");
    fence.signal();
    void domain.import(handle).status;
  },
  "recovers each agent that seems to be there"(domain) {
    for (let slot = 0; slot < agentOf(domain).layout.sizes.agents; slot++) {
      const identity = deadIn(agentOf(domain), slot) || liveIn(agentOf(domain), slot);
      if (identity === 0 || identity === agentOf(domain).identity) continue;
      domain.bury(identity);
      abandonRequests(agentOf(domain), identity);
    }
  },
  leaves: (domain) => domain.close(),
};

/** An exporter that lives and does not answer is waited for, whatever made the buffer seem to be its. */
function asksExporter(buffer: DmaBuf, domain: BareDomain): boolean {
  const agent = agentOf(domain);
  return [...BUFFER_SLOTS.live(agent)].some(
    ({ slot }) => bufferInode(agent, slot) === buffer.inode && exporterFlags(agent, slot) !== 0,
  );
}

function forEachBuffer(facts: Record<string, (buffer: DmaBuf, domain: BareDomain) => unknown>): Record<string, Reader> {
  const readers: Record<string, Reader> = {};
  for (const index of [0, 1]) {
    for (const [name, read] of Object.entries(facts)) {
      readers[`buffer ${index}: ${name}`] = (domain, { buffers }) => {
        using buffer = domain.import(buffers[index]!);
        read(buffer, domain);
      };
    }
  }
  return readers;
}

function forEachFence(): Record<string, Reader> {
  return {
    fences(domain, { fences }) {
      for (const handle of fences) {
        const fence = domain.import(handle);
        void [fence.status, fence.error, fence.timestamp, fence.describe(), fence.isSignaled()];
        fence.addCallback(() => {});
        fence.setDeadline(1_000);
        fence.handle();
      }
    },
    "waits for fences"(domain, { fences }) {
      for (const handle of fences) domain.import(handle).waitSync(PATIENT);
    },
  };
}

function forEachPolicy(): Record<string, Reader> {
  const readers: Record<string, Reader> = {};
  for (const policy of ["block", "drop-oldest", "newest"] as const) {
    readers[`stream: ${policy}`] = (domain, { stream }) => {
      using theirs = domain.import(stream);
      void theirs.consumers;
      using consumer = theirs.frames({ policy });
      for (let frame = 0; frame < 3; frame++) consumer.nextSync(PATIENT)?.[Symbol.dispose]();
    };
  }
  return readers;
}
