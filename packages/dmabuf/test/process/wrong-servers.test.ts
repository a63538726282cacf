import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { rawFormat } from "../../src/index.js";
import { codeOf } from "../../src/errors.js";
import { StreamContributor } from "../../src/node/index.js";
import {
  acceptConnection,
  addSeals,
  bindSocket,
  closeDescriptor,
  createMemoryFile,
  createSocket,
  listenOnSocket,
  receiveMessage,
  reopenDescriptor,
  SEAL,
  sendMessage,
  setFileLength,
} from "../../src/node/system-calls/index.js";
import { until } from "../agents.js";

/** Servers of a stream for contributors that are wrong, in this process. */

const LIMITED = { timeout: 60_000 };
const FORMAT = rawFormat(1000);
const GREETING = { visitor: 1, name: "wrong", format: FORMAT, bytes: 4096, dataBytes: 64 };

function memory(length: number, seals: number = SEAL.SHRINK | SEAL.GROW): number {
  const fd = createMemoryFile("dmabuf of a wrong server");
  setFileLength(fd, length);
  addSeals(fd, seals);
  return fd;
}

/** What a server says, and what comes beside it; it says each thing once it has heard something. */
type Said = readonly [text: string, ...descriptors: readonly (() => number)[]];

/** A server that says these things. */
function serve(t: TestContext, says: readonly Said[]): string {
  const place = `dmabuf wrong ${randomUUID()}`;
  const listener = createSocket();
  bindSocket(listener, { abstract: place });
  listenOnSocket(listener);
  const bytes = Buffer.alloc(4096);
  const left = [...says];
  let connection: number | undefined;
  const timer = setInterval(() => {
    connection ??= acceptConnection(listener);
    if (connection === undefined) return;
    try {
      if (receiveMessage(connection, bytes) === undefined) return;
      const said = left.shift();
      if (said === undefined) return;
      const [text, ...open] = said;
      const descriptors = open.map((one) => one());
      sendMessage(connection, Buffer.from(text), descriptors);
      descriptors.forEach(closeDescriptor);
    } catch {
      // The other side has gone.
    }
  }, 1);
  t.after(() => {
    clearInterval(timer);
    for (const fd of [connection, listener]) if (fd !== undefined) closeDescriptor(fd);
  });
  return `@${place}`;
}

const line = (words: object): string => `${JSON.stringify(words)}\n`;
const greeting: Said = [line(GREETING)];
const blank = (place: unknown = 0): string => line({ blank: place });

test("a greeting that is wrong is EPROTO, and nothing stays open", LIMITED, async (t) => {
  const wrong: readonly Said[] = [
    [line({ ...GREETING, visitor: 2 })],
    [line({ ...GREETING, visitor: undefined })],
    [line({ ...GREETING, format: { ...FORMAT, size: 500 } })],
    [line({ ...GREETING, bytes: 1000 })],
    [line({ ...GREETING, dataBytes: 4096 })],
    [line({ ...GREETING, name: 7 })],
    ["no JSON\n"],
    ["x".repeat(70_000)],
    [line(GREETING) + blank()],
  ];
  for (const said of wrong) {
    const place = serve(t, [said]);
    const connected = StreamContributor.connect(place).then(async (contributor) => {
      // What came behind the greeting is heard when the contributor is there.
      const outcome = await contributor.loan().catch(codeOf);
      contributor.close();
      return outcome;
    }, codeOf);
    assert.equal(await connected, "EPROTO", said[0].slice(0, 100));
  }
});

test(
  "a descriptor that is none of its line, or one too many, ends the connection (descriptor-lines.1)",
  LIMITED,
  async (t) => {
    const good = (): number => memory(4096);
    const wrong: readonly Said[] = [
      [blank()],
      [blank(), good, good],
      [blank(32), good],
      [blank("0"), good],
      [blank(), () => memory(2048)],
      [blank(), () => memory(4096, 0)],
      [blank(), () => readOnly()],
      [blank(), () => createSocket()],
      [line({ published: 3 }), good],
      [line({ dropped: true }), good, good],
    ];
    const before = descriptors();
    for (const [i, said] of wrong.entries()) {
      const place = serve(t, [greeting, said]);
      using contributor = await StreamContributor.connect(place);
      await assert.rejects(contributor.loan(), { code: "EPROTO" }, `wrong thing ${i}`);
      await assert.rejects(contributor.loan(), { code: "EPROTO" });
    }
    // Listeners and connections of the servers here are still there.
    await until(() => descriptors() <= before + 2 * wrong.length + POLLER);
  },
);

test(
  "lines that come in one piece with a descriptor are each heard, and it is that of the line that needs it",
  LIMITED,
  async (t) => {
    const place = serve(t, [
      greeting,
      [blank(), () => memory(4096)],
      [line({ published: 5 }) + blank(1), () => memory(4096)],
      [line({ dropped: true })],
    ]);
    using contributor = await StreamContributor.connect(place);
    const loan = (await contributor.loan())!;
    const next = contributor.loan();
    // The server answers both at once: this one asks for the next blank when it hears of its frame.
    assert.equal(await loan.publish(), 5);
    using second = (await next)!;
    assert.equal(second.length, 1000);
  },
);

test("a server that is silent is ETIMEDOUT, and one that hangs up ECONNRESET", LIMITED, async (t) => {
  await assert.rejects(StreamContributor.connect(serve(t, []), { timeout: 50 }), { code: "ETIMEDOUT" });
  const aborted = StreamContributor.connect(serve(t, []), { signal: AbortSignal.timeout(20) });
  await assert.rejects(aborted, { name: "TimeoutError" });
  using contributor = await StreamContributor.connect(serve(t, [greeting]));
  await assert.rejects(contributor.loan({ timeout: 50 }), { code: "ETIMEDOUT" });
});

test("a server's refusal is an error with its code and its words", LIMITED, async (t) => {
  const refusal: Said = [line({ code: "ENOSPC", message: "no\u001broom" })];
  await assert.rejects(StreamContributor.connect(serve(t, [refusal])), { code: "ENOSPC", message: /no room/ });
  using contributor = await StreamContributor.connect(serve(t, [greeting, refusal]));
  await assert.rejects(contributor.loan(), { code: "ENOSPC" });
});

/** Those that the poller of this thread keeps. */
const POLLER = 4;

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function readOnly(): number {
  const fd = memory(4096);
  try {
    return reopenDescriptor(fd, "read");
  } finally {
    closeDescriptor(fd);
  }
}
