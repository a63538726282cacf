import { agentOf } from "../../src/domain-base.js";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { rawFormat } from "../../src/index.js";
import { pagesFrom, ProcessDomain, StreamContributor, StreamViewer, WorkerPool } from "../../src/node/index.js";
import { EXCEPTIONS as CORE_EXCEPTIONS, SIZES } from "./core.js";
import type { Exceptions } from "./nonsense.js";
import { sourceOf } from "./web.js";

/** What the functions of `dmabuf/node` are called on and with, rightly. */

let places = 0;

/** A domain of processes, with one process in it. */
export class ProcessWorld {
  readonly domain = ProcessDomain.create(SIZES);
  /** Where a process can join. */
  readonly where = `@dmabuf arguments ${process.pid} ${++places}`;

  /** The control segment, and how many descriptors and mappings of memory files the process has. */
  get state(): Uint8Array {
    const { memory, layout } = agentOf(this.domain);
    const words = Int32Array.from({ length: layout.words + 2 }, (_, i) => (i < layout.words ? memory.load(i) : 0));
    words[layout.words] = readdirSync("/proc/self/fd").length;
    words[layout.words + 1] = readFileSync("/proc/self/maps", "latin1").split("memfd:dmabuf").length;
    return Buffer.from(words.buffer);
  }

  close(): void {
    this.domain.close();
  }
}

export const RECEIVERS: Readonly<Record<string, (world: ProcessWorld) => object | Promise<object>>> = {
  ProcessDomain: ({ domain }) => domain,
  PagedBufferOptions: () => pagesFrom("/bin/true"),
  DescriptorDirectory: ({ domain }) => domain.descriptors,
  WorkerPool: ({ domain }) => WorkerPool.create(domain, "a module"),
  Follower: ({ domain }) => domain.follow("name"),
  DomainObserver({ domain, where }) {
    domain.listen(where);
    using buffer = domain.allocate(4096);
    using handle = buffer.handle();
    // Other tests may have left domains in this process.
    return ProcessDomain.observe(where, { domain: handle.domain });
  },
  StreamViewer({ domain, where }) {
    domain.serveViewers(where, domain.createStream({ format: rawFormat(64) }));
    return StreamViewer.connect(where);
  },
  StreamContributor({ domain, where }) {
    domain.serveContributors(where, domain.createStream({ format: rawFormat(64) }));
    return StreamContributor.connect(where);
  },
  async ContributedLoan({ domain, where }) {
    domain.serveContributors(where, domain.createStream({ format: rawFormat(64) }));
    return (await (await StreamContributor.connect(where)).loan())!;
  },
};

const NOW = { timeout: 0 };

export const VALID: Readonly<Record<string, (world: ProcessWorld) => readonly unknown[]>> = {
  "DescriptorDirectory.offer()": () => ["name", 0],
  "DescriptorDirectory.take()": () => ["name", NOW],
  "DescriptorDirectory.takeSync()": () => ["name", NOW],
  "ProcessDomain.create()": () => [SIZES],
  "ProcessDomain.listen()": ({ where }) => [where, SIZES],
  "ProcessDomain.connect()": ({ domain, where }) => (domain.listen(where), [where, {}]),
  "ProcessDomain.inherit()": ({ domain }) => [{ descriptor: domain.inviteProcess().descriptor }],
  "ProcessDomain.observe()": ({ domain, where }) => (domain.listen(where), [where, {}]),
  "DomainObserver.explain()": ({ domain }) => {
    domain.allocate(4096, { name: "frame" });
    return [{ buffer: "frame" }];
  },
  "DomainObserver.trace()": () => [{ since: 0 }],
  "readTrace()": () => [import.meta.dirname],
  "DomainObserver.bytesOf()": ({ domain }) => [domain.allocate(4096).inode, { offset: 1, length: 1 }],
  "DomainObserver.snapshot()": () => [{ since: 1 }],
  "ProcessDomain.join()": ({ domain }) => [domain.invite(), {}],
  "Domain#listen()": ({ where }) => [where],
  "ProcessDomain.invite()": () => [{}],
  "ProcessDomain.revoke()": ({ domain }) => [domain.invite()],
  "ProcessDomain.fork()": () => ["a program", [], { execPath: "/bin/true" }],
  "WorkerPool.create()": ({ domain }) => [domain, "a module", {}],
  "WorkerPool.createQueue()": () => [{}],
  "ProcessDomain.createMemory()": () => [65_536],
  "ProcessDomain.openFile()": ({ domain }) => [domain.allocate(4096), {}],
  "ProcessDomain.createStream()": () => [{ format: rawFormat(64), buffers: 2 }],
  "pagesFrom()": () => ["/bin/true"],
  "PagedBufferOptions.fill()": () => [0, new Uint8Array(16)],
  "ProcessDomain.findStream()": () => ["name", NOW],
  "ProcessDomain.findStreamSync()": () => ["name", NOW],
  "Follower.next()": () => [NOW],
  "Follower.nextSync()": () => [NOW],
  "ProcessDomain.follow()": () => ["name", {}],
  "ProcessDomain.serveViewers()": ({ domain, where }) => [where, domain.createStream({ format: rawFormat(64) }), {}],
  "StreamViewer.connect()": ({ domain, where }) => (
    domain.serveViewers(where, domain.createStream({ format: rawFormat(64) })),
    [where, {}]
  ),
  "ProcessDomain.serveContributors()": ({ domain, where }) => [
    where,
    domain.createStream({ format: rawFormat(64) }),
    {},
  ],
  "StreamContributor.connect()": ({ domain, where }) => (
    domain.serveContributors(where, domain.createStream({ format: rawFormat(64) })),
    [where, {}]
  ),
  "StreamContributor.loan()": () => [{ timeout: 0 }],
  "StreamContributor.loans()": () => [{}],
  "StreamContributor.fail()": () => ["EIO"],
  "ContributedLoan.publish()": () => [{ timestamp: 1 }],
  "readableFrom()": ({ domain }) => [sourceOf(domain.createStream({ format: rawFormat(64) }).frames()), {}],
  "writableFrom()": ({ domain }) => [domain.createStream({ format: rawFormat(64) }), {}],
  "StreamViewer.frames()": () => [{}],
  "StreamViewer.next()": () => [{ signal: AbortSignal.abort() }],
};

export const EXCEPTIONS: Exceptions = {
  // In a domain that is not validated its options are not looked at.
  ...Object.fromEntries(
    ["create", "listen", "connect", "inherit", "join"].map((member) => [
      `ProcessDomain.${member}() options.validate`,
      ["a throwing proxy"],
    ]),
  ),
  // As that of a loan, by JSON.
  "ContributedLoan.publish() options.data": CORE_EXCEPTIONS["Loan.publish() options.data"]!,
  // Its options are those of Node.js, which are not described here.
  "ProcessDomain.fork() options": ["{}", "a date"],
};
