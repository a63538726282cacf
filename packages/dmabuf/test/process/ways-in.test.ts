/** What is passed to the ways into a domain, and what comes through them, where it is not what belongs there. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { agentOf } from "../../src/domain-base.js";
import { HEADER } from "../../src/domain/layout.js";
import { SIZE_NAMES } from "../../src/domain/sizes.js";
import { Domain as ThreadDomain, rawFormat } from "../../src/index.js";
import { requestDomain } from "../../src/node/joining/join-protocol.js";
import { descriptorsOf } from "../../src/node/joining/domain-files.js";
import { ProcessDomain, StreamViewer, type WorkerInvitation } from "../../src/node/index.js";
import {
  closeDescriptor,
  createEventCounter,
  createPipe,
  createSocketPair,
  isClosedOnExec,
  LONGEST_VIEW,
  mapMemory,
  receiveMessage,
  sendMessage,
  threadId,
  unmapMemory,
  viewOf,
} from "../../src/node/system-calls/index.js";
import { HostileListener } from "../fuzz/attacker.js";
import { FIXED, memoryFile } from "../fuzz/odd-descriptors.js";
import { connectBare } from "../strangers.js";
import { Peer } from "./peer.js";

const LIMITED = { timeout: 60_000 };
/** Bytes: more than any view has. */
const HUGE = 2 ** 33;

test("inherit() of what is no invitation is EINVAL, and the descriptor is as it was", LIMITED, async (t) => {
  const [here, there] = createSocketPair();
  const [mail, sender] = createSocketPair();
  sendMessage(sender, Buffer.from('{"left":0}\n'));
  const { reader, writer } = createPipe();
  const others = [here, mail, reader, writer, createSocketPair("datagram")[0], createEventCounter()];
  t.after(() => [...others, there, sender].forEach(closeDescriptor));
  for (const descriptor of others) {
    await assert.rejects(ProcessDomain.inherit({ descriptor }), { code: "EINVAL", message: /is no invitation/ });
    assert.ok(isClosedOnExec(descriptor), "it is open");
  }
  const bytes = Buffer.alloc(100);
  assert.equal(receiveMessage(there, bytes), undefined, "nothing was said");
  assert.equal(receiveMessage(mail, bytes)?.length, 11, "nothing was taken out");
});

test("inherit() of what is no number of a descriptor is an error that names it", LIMITED, async () => {
  await assert.rejects(ProcessDomain.inherit({ descriptor: 2 ** 20 }), { code: "EINVAL" });
  for (const wrong of [-1, 1.5, NaN, 2 ** 32 + 3, "3"]) {
    await assert.rejects(
      ProcessDomain.inherit({ descriptor: wrong as number }),
      { message: /descriptor" must be an integer/ },
      String(wrong),
    );
  }
});

test("a forked process that takes its channel for the invitation keeps the channel", LIMITED, async (t) => {
  const domain = ProcessDomain.create({ agents: 4 });
  t.after(() => domain.close());
  for (const [descriptor, outcome] of [
    [3, "EINVAL"],
    [4, "joined"],
    [5, "EINVAL"],
  ] as const) {
    const invitation = domain.inviteProcess();
    const child = fork(fileURLToPath(new URL("inheritor.js", import.meta.url)), [String(descriptor)], {
      stdio: ["ignore", "inherit", "inherit", "ipc", invitation.descriptor],
    });
    t.after(() => child.kill("SIGKILL"));
    invitation[Symbol.dispose]();
    assert.deepEqual((await once(child, "message"))[0], { outcome, again: "EINVAL" });
    child.send("end");
    assert.deepEqual(await once(child, "exit"), [0, null]);
  }
});

test("join() says of the other kind's invitation what it is of", LIMITED, (t) => {
  const domains = [ThreadDomain.create({ agents: 2 }), ProcessDomain.create({ agents: 2 })] as const;
  t.after(() => domains.forEach((domain) => domain.close()));
  const invitations = domains.map((domain) => domain.invite());
  t.after(() => invitations.forEach(({ port }) => port.close()));
  const [ofThreads, ofProcesses] = invitations as unknown as [
    WorkerInvitation,
    Parameters<typeof ThreadDomain.join>[0],
  ];
  assert.throws(() => ProcessDomain.join(ofThreads), {
    name: "TypeError",
    message: /an invitation of dmabuf, which is for Domain\.join\(\)$/,
  });
  assert.throws(() => ThreadDomain.join(ofProcesses), {
    name: "TypeError",
    message: /an invitation of dmabuf\/node, which is for ProcessDomain\.join\(\)$/,
  });
  for (const nothing of [undefined, null, {}, 7]) {
    assert.throws(() => ProcessDomain.join(nothing as WorkerInvitation), {
      name: "TypeError",
      message: /must be what invite\(\) of a domain of dmabuf\/node gives/,
    });
  }
});

test(
  "listening-socket.2: a file or folder of the name by which a listening socket is made is left as it is",
  LIMITED,
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const inTheWay = `.dmabuf-${threadId()}`;
    mkdirSync(join(folder, inTheWay));
    writeFileSync(join(folder, inTheWay, "precious"), "");
    const domain = ProcessDomain.listen(join(folder, "socket"), { agents: 2 });
    assert.deepEqual(readdirSync(folder).sort(), [inTheWay, "socket"]);
    domain.close();
    assert.deepEqual(readdirSync(join(folder, inTheWay)), ["precious"]);
  },
);

test("a process without a feature of the domain is refused with its number, by each way in", LIMITED, async (t) => {
  const place = `@dmabuf features ${randomUUID()}`;
  const domain = ProcessDomain.listen(place, { agents: 4 });
  t.after(() => domain.close());
  const { memory } = agentOf(domain);
  const features = memory.load(HEADER.FEATURES);
  memory.store(HEADER.FEATURES, features | (1 << 20));
  const refused = { code: "EPROTO", message: /feature "number 20", which is not known here/ };
  await assert.rejects(ProcessDomain.connect(place), refused);
  await assert.rejects(ProcessDomain.inherit(domain.inviteProcess()), refused);
  await assert.rejects(Peer.start(t, place), /has not joined: refused: .*feature "number 20"/);
  assert.equal(domain.agents.length, 1);
  assert.throws(() => ProcessDomain.join(domain.invite()), refused);
  // One that knows all features of the domain comes in.
  memory.store(HEADER.FEATURES, features);
  (await ProcessDomain.connect(place)).close();
});

test("json-lines.4: a refusal says whose words it has, whatever its code is", LIMITED, async (t) => {
  const listener = hostile(t);
  for (const [code, expected, words] of [
    ["ENOSPC", "ENOSPC", /The domain at @.* says: no room$/],
    ["", "EIO", /The domain at @.* says, with the unknown code "": no room$/],
    ["EWHAT\u202e", "EIO", /The domain at @.* says, with the unknown code "EWHAT ": no room$/],
  ] as const) {
    const joined = ProcessDomain.connect(listener.place, { timeout: 30_000 });
    answer(listener, { code, message: "no room" });
    await assert.rejects(joined, { code: expected, message: words });
  }
});

test(
  "of a listener's memory only what its header needs is mapped, and never more than fits a view (join-protocol.2)",
  LIMITED,
  async (t) => {
    const place = `@dmabuf doors ${randomUUID()}`;
    const domain = ProcessDomain.listen(place, { agents: 2 });
    t.after(() => domain.close());
    const connection = connectBare(place);
    const files = await requestDomain(connection, place, { end: performance.now() + 30_000 });
    t.after(() => [connection, ...descriptorsOf(files)].forEach(closeDescriptor));
    const listener = hostile(t);
    for (const [buffers, code] of [
      [16, undefined],
      [0, "EPROTO"],
    ] as const) {
      const control = memoryFile(HUGE, FIXED);
      t.after(() => closeDescriptor(control));
      writeHeader(control, files.control, buffers);
      const joined = ProcessDomain.connect(listener.place, { timeout: 30_000 });
      const [, ...rest] = descriptorsOf(files);
      answer(listener, { left: 0 }, [control, ...rest]);
      if (code === undefined) (await joined).close();
      else await assert.rejects(joined, { code });
    }
  },
);

test("of a shown stream's memory only the frames are mapped, and never more than fits a view", LIMITED, async (t) => {
  const listener = hostile(t);
  const file = memoryFile(HUGE, FIXED);
  t.after(() => closeDescriptor(file));
  const shown = { visitor: 1, name: "shown", format: rawFormat(64), buffers: 1, policy: "newest" };
  const visited = StreamViewer.connect(listener.place, { timeout: 30_000 });
  const connection = answer(listener, { ...shown, bytes: 4096 }, [file]);
  const viewer = await visited;
  t.after(() => viewer.close());
  sendMessage(connection, Buffer.from('{"place":0}\n'));
  using frame = await viewer.next();
  assert.equal(frame!.bytes.length, 64);
  const tooMuch = StreamViewer.connect(listener.place, { timeout: 30_000 });
  answer(listener, { ...shown, bytes: HUGE }, [file]);
  if (LONGEST_VIEW >= HUGE) (await tooMuch).close();
  else await assert.rejects(tooMuch, { code: "EFBIG", message: /more than the \d+ that one view has/ });
  for (const bytes of [0, -1, 63, "4096", undefined]) {
    const refused = StreamViewer.connect(listener.place, { timeout: 30_000 });
    answer(listener, { ...shown, bytes }, [file]);
    await assert.rejects(refused, { code: "EPROTO", message: /no frame fits|cannot be understood/ }, String(bytes));
  }
});

const SHORT_VIEWS = { ...LIMITED, skip: LONGEST_VIEW > HUGE && "a view of this runtime has no limit that matters" };

test("memory that no view can show is EFBIG, where it is made and where it is viewed", SHORT_VIEWS, () => {
  const length = LONGEST_VIEW + 4096;
  assert.throws(() => ProcessDomain.create({ agents: 1023, buffers: 65_536 }), {
    code: "EFBIG",
    message: /of these sizes/,
  });
  const address = mapMemory({ length, protection: "read", noReserve: true });
  for (const wrong of [length, -1, 1.5, NaN]) assert.throws(() => viewOf(address, wrong), { code: "EFBIG" });
  assert.equal(viewOf(address, LONGEST_VIEW).byteLength, LONGEST_VIEW);
  unmapMemory(address, length);
});

test(
  "a part of a file at any offset is mapped with its pages alone, and has the right bytes everywhere",
  LIMITED,
  async (t) => {
    const place = `@dmabuf doors ${randomUUID()}`;
    const domain = ProcessDomain.listen(place, { agents: 3 });
    t.after(() => domain.close());
    const other = await ProcessDomain.connect(place);
    t.after(() => other.close());
    using memory = domain.createMemory(5 * 4096);
    new Uint8Array(memory.memory).forEach((_, i, bytes) => (bytes[i] = i >> 8));
    const segments = [
      { memory: memory.memory, offset: 4096 * 2 + 256, length: 4096 },
      { memory: memory.memory, offset: 256, length: 300 },
    ];
    using buffer = domain.export(segments);
    using there = other.import(buffer.handle());
    // What it hands on itself, as one that was exported elsewhere.
    const late = await ProcessDomain.connect(place);
    t.after(() => late.close());
    using last = late.import(there.handle());
    for (const holder of [buffer, there, last]) {
      using access = holder.accessSync("read");
      const bytes = access.copy();
      assert.deepEqual([bytes.length, bytes[0], bytes[4095], bytes[4096], bytes[4395]], [4396, 33, 48, 1, 2]);
    }
  },
);

function hostile(t: TestContext): HostileListener {
  const listener = new HostileListener(`dmabuf doors ${randomUUID()}`);
  t.after(() => listener.close());
  return listener;
}

/** Says one line to the process that has connected. @returns The connection, which ends with this process. */
function answer(listener: HostileListener, line: object, descriptors: readonly number[] = []): number {
  const connection = listener.accept()!;
  sendMessage(connection, Buffer.from(`${JSON.stringify(line)}\n`), descriptors);
  return connection;
}

/** Makes memory a control segment: the header of another one, with another number of buffers. */
function writeHeader(control: number, model: number, buffers: number): void {
  const [from, to] = [model, control].map((fd) => {
    const address = mapMemory({ fd, length: 4096, protection: "read-write" });
    return new Int32Array(viewOf(address, 4096));
  });
  to!.set(from!.subarray(0, HEADER.WORDS));
  to![HEADER.SIZES + SIZE_NAMES.indexOf("buffers")] = buffers;
}
