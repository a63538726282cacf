/** What was posted to a worker in a wrong way is refused there in words that say how it is posted. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Worker, type Transferable } from "node:worker_threads";
import { rawFormat } from "../stream/format.js";
import { Domain } from "../threads.js";
import { ProcessDomain } from "./process-domain.js";

const PATIENT = { timeout: 20_000 };

/** Tries each of the calls that take what is posted. */
const WORKER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const says = (act) => {
    try { act(); return "it is taken"; } catch (error) { return error.message; }
  };
  (async () => {
    const { Domain } = await import(workerData.threads);
    const { ProcessDomain } = await import(workerData.processes);
    const domain = Domain.create();
    parentPort.on("message", (posted) => {
      if (posted === "end") process.exit();
      parentPort.postMessage({
        import: says(() => domain.import(posted)),
        join: says(() => Domain.join(posted)),
        joinProcesses: says(() => ProcessDomain.join(posted)),
      });
    });
    parentPort.postMessage("ready");
  })();
`;

interface Answers {
  readonly import: string;
  readonly join: string;
  readonly joinProcesses: string;
}

let worker: Worker;
const [threads, processes] = [Domain.create(), ProcessDomain.create()];

before(async () => {
  const urls = { threads: "../index.js", processes: "./index.js" };
  const workerData = Object.fromEntries(
    Object.entries(urls).map(([name, path]) => [name, new URL(path, import.meta.url).href]),
  );
  worker = new Worker(WORKER, { eval: true, workerData });
  await once(worker, "message");
});

after(async () => {
  worker.postMessage("end");
  await once(worker, "exit");
  threads.close();
  processes.close();
});

async function post(message: unknown, transferList: readonly unknown[] = []): Promise<Answers> {
  worker.postMessage(message, transferList as Transferable[]);
  const [answers] = (await once(worker, "message")) as [Answers];
  return answers;
}

/** What is posted, and how the error names it and its cure. */
const POSTED: [what: string, says: RegExp, make: (domain: Domain | ProcessDomain) => unknown][] = [
  ["a buffer", /not a DmaBuf that was posted itself: post its handle\(\)$/, (domain) => domain.allocate(4096)],
  ["a stream", /not a FrameStream that was posted itself: post its handle\(\)$/, (domain) => streamOf(domain)],
  [
    "a loan",
    /not a Loan that was posted itself: post handle\(\) of its stream/,
    (domain) => streamOf(domain).loanSync(),
  ],
  ["a frame", /not a Frame that was posted itself: post handle\(\) of its stream .* copy\(\)$/, frameOf],
  [
    "an access",
    /not a CpuAccess that was posted itself: post handle\(\) of its buffer/,
    (domain) => domain.allocate(1).accessSync("read"),
  ],
  [
    "an attachment",
    /not an Attachment that was posted itself: post handle\(\)/,
    (domain) => domain.allocate(1).attachSync(),
  ],
  [
    "a mapping",
    /not a Mapping that was posted itself: post handle\(\)/,
    (domain) => domain.allocate(1).attachSync().mapSync(),
  ],
  [
    "a fence",
    /not a Fence that was posted itself: post its handle\(\)$/,
    (domain) => domain.createTimeline().createFence(),
  ],
  ["a timeline", /not a timeline that was posted itself: post/, (domain) => domain.createTimeline()],
  [
    "a software timeline",
    /not a timeline that was posted itself: post its handle\(\)/,
    (domain) => domain.createSoftwareTimeline(),
  ],
  [
    "a sync file",
    /that is posted itself: post .* handle\(\)$/,
    (domain) => domain.createSyncFile(domain.createTimeline().createFence()),
  ],
  ["a queue", /not a Queue that was posted itself/, (domain) => domain.createQueue({ run() {} })],
  ["a syncobj", /a Syncobj that is posted itself: post .* handle\(\)$/, (domain) => domain.createSyncobj()],
  ["a user fence", /a UserFence.* that is posted itself: post .* handle\(\)$/, (domain) => domain.createUserFence()],
  [
    "a memory fence",
    /not a MemoryFence that was posted itself: post its handle\(\)$/,
    (domain) => domain.allocate(8).memoryFence({ value: 1 }),
  ],
  ["a consumer", /a Consumer .* that is posted itself: post .* handle\(\)$/, (domain) => streamOf(domain).frames()],
  ["a domain", /a (Process)?Domain.* posted itself: post .*invite\(\)/, (domain) => domain],
];

describe("what was posted itself is named, with what to post instead:", () => {
  for (const [kind, domain] of [
    ["threads", threads],
    ["processes", processes],
  ] as const) {
    for (const [what, says, make] of POSTED) {
      test(`${what} of a domain of ${kind}`, PATIENT, async () => {
        const answers = await post(make(domain));
        assert.match(
          answers.import,
          /^EINVAL: Domain\.import\(\): handle must be what a method handle\(\) gives, not /,
        );
        assert.match(
          answers.join,
          /^Domain\.join\(\): invitation must be what invite\(\) of a domain of dmabuf gives, not /,
        );
        assert.match(
          answers.joinProcesses,
          /^ProcessDomain\.join\(\): invitation must be what invite\(\) of a domain of dmabuf\/node gives/,
        );
        for (const answer of answersIn(answers)) assert.match(answer, says);
      });
    }
  }
});

describe("an invitation of another kind is refused, and says which join it is for:", () => {
  test("of a domain of threads", PATIENT, async () => {
    const invitation = threads.invite();
    const answers = await post({ ...invitation }, [invitation.port]);
    assert.match(answers.joinProcesses, /not an invitation of dmabuf, which is for Domain\.join\(\)$/);
    assert.match(answers.import, /not an invitation of dmabuf, which is for Domain\.join\(\)$/);
    assert.equal(answers.join, "it is taken");
  });

  test("of a domain of processes", PATIENT, async () => {
    const invitation = processes.invite();
    const answers = await post({ ...invitation }, [invitation.port]);
    assert.match(answers.join, /not an invitation of dmabuf\/node, which is for ProcessDomain\.join\(\)$/);
    assert.match(answers.import, /not an invitation of dmabuf\/node, which is for ProcessDomain\.join\(\)$/);
    assert.equal(answers.joinProcesses, "it is taken");
  });

  test("of inviteProcess()", PATIENT, async () => {
    using invitation = processes.inviteProcess();
    const answers = await post({ descriptor: invitation.descriptor });
    for (const answer of answersIn(answers))
      assert.match(answer, /for a child process, which is for ProcessDomain\.inherit\(\)$/);
  });
});

const [major] = process.versions.node.split(".").map(Number) as [number];

describe("bytes in a transfer list", () => {
  const skip = major < 22 ? "Node.js 20 copies them" : false;

  test(
    "of a domain of processes are gone: the next use of them says why, and a warning besides",
    { ...PATIENT, skip },
    async (t) => {
      const warnings: string[] = [];
      const heard = ({ message }: Error): void => void warnings.push(message);
      process.on("warning", heard);
      t.after(() => process.off("warning", heard));
      const frame = frameOf(processes);
      const buffer = processes.allocate(4096);
      // The first use of memory is refused by the message itself.
      const first = buffer.accessSync("write");
      first.bytes.fill(1);
      first.close();
      const access = buffer.accessSync("read");
      const says = {
        code: "EBADF",
        message: /was put into a transfer list; post handle\(\) of the buffer or stream instead/,
      };
      for (const held of [frame, access]) {
        const { bytes } = held;
        await post(bytes, [bytes.buffer]);
        assert.throws(() => held.bytes, says);
        held.close();
      }
      await new Promise(setImmediate);
      assert.equal(warnings.length, 2);
      for (const warning of warnings) assert.match(warning, /^The bytes of a buffer were put into a transfer list/);
      // The memory itself is as it was.
      using again = buffer.accessSync("read");
      assert.equal(again.bytes.length, 4096);
    },
  );

  test("of a domain of threads are refused by the message itself", PATIENT, () => {
    using access = threads.allocate(4096).accessSync("read");
    const { bytes } = access;
    assert.throws(() => worker.postMessage(bytes, [bytes.buffer as unknown as Transferable]), {
      message: /transferList/,
    });
    assert.equal(access.bytes.length, 4096);
  });
});

function answersIn({ import: imported, join, joinProcesses }: Answers): string[] {
  return [imported, join, joinProcesses];
}

function streamOf(domain: Domain | ProcessDomain) {
  return domain.createStream({ format: rawFormat(64), buffers: 2 });
}

function frameOf(domain: Domain | ProcessDomain) {
  const stream = streamOf(domain);
  const consumer = stream.frames();
  const loan = stream.loanSync()!;
  loan.bytes.fill(1);
  loan.publish();
  return consumer.nextSync()!;
}
