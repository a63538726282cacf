import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { agentOf } from "../domain-base.js";
import { COPY } from "../domain/layout.js";
import { copiedBytes, Domain, PAGE_SIZE, rawFormat, type DomainOptions } from "../index.js";
import { readableStreamFrom, writableStreamFrom } from "../web/index.js";
import { claimCopy, COPY_RECOVERY, storedCopies } from "./copy-slot.js";

const LIMITED = { timeout: 60_000 };

/** Two agents in this thread. */
function two(t: TestContext, options: DomainOptions = {}): { main: Domain; other: Domain } {
  const main = Domain.create(options);
  const other = Domain.join(main.invite({ name: "other" }));
  t.after(() => {
    other.close();
    main.close();
  });
  return { main, other };
}

/** A frame of this domain, published. */
async function frameOf(domain: Domain, size = 100) {
  const stream = domain.createStream({ format: rawFormat(size), buffers: 2 });
  const consumer = stream.frames();
  (await stream.loan())!.publish();
  return { stream, consumer };
}

const memory = (): { memory: SharedArrayBuffer; offset: number; length: number } => ({
  memory: new SharedArrayBuffer(PAGE_SIZE),
  offset: 0,
  length: PAGE_SIZE,
});

type Work = (domain: Domain) => Promise<number>;

/** What copies, each by the name of its call; gives how many bytes it copies. */
const COPIES: Record<string, Work> = {
  "frame.copy()": async (domain) => {
    const { consumer } = await frameOf(domain);
    using frame = await consumer.next();
    return frame!.copy().length;
  },
  "access.copy()": async (domain) => {
    using buffer = domain.allocate(PAGE_SIZE);
    using access = await buffer.access("read");
    return access.copy().length;
  },
  "buffer.move()": async (domain) => {
    using buffer = domain.export([memory()]);
    await buffer.move([memory()]);
    return PAGE_SIZE;
  },
  "window.pointerTo()": async (domain) => {
    const { stream, consumer } = await frameOf(domain);
    using window = domain.createModuleWindow(new WebAssembly.Memory({ initial: 1 }), stream);
    using frame = await consumer.next();
    window.pointerTo(frame!);
    return 100;
  },
  "readableStreamFrom()": async (domain) => {
    const { stream, consumer } = await frameOf(domain);
    stream.end();
    return (await new Response(readableStreamFrom(consumer)).arrayBuffer()).byteLength;
  },
  "writableStreamFrom()": async (domain) => {
    using stream = domain.createStream({ format: rawFormat(8), buffers: 2 });
    await new Response("8 bytes.").body!.pipeTo(writableStreamFrom(stream));
    return 8;
  },
};

for (const [why, work] of Object.entries(COPIES)) {
  test(`what ${why} copies is found in the ledger, by this agent and by another`, LIMITED, async (t) => {
    const { main, other } = two(t);
    const before = copiedBytes();
    const bytes = await work(other);
    assert.ok(bytes > 0);
    assert.equal(copiedBytes() - before, bytes, "all that was copied is counted");
    const expected = [{ agent: "other", why, bytes, times: 1 }];
    assert.deepEqual(other.copies(), expected);
    assert.deepEqual(main.copies(), expected);
    await work(other);
    assert.deepEqual(main.copies(), [{ agent: "other", why, bytes: 2 * bytes, times: 2 }]);
  });
}

test("a chunk that the reader brings memory for is found, too", LIMITED, async (t) => {
  const { main } = two(t);
  const { consumer } = await frameOf(main);
  const reader = readableStreamFrom(consumer).getReader({ mode: "byob" });
  await reader.read(new Uint8Array(10));
  assert.deepEqual(main.copies(), [{ agent: "main", why: "readableStreamFrom()", bytes: 10, times: 1 }]);
  await reader.cancel();
});

test("what takes no copy leaves none in the ledger", LIMITED, async (t) => {
  const { main, other } = two(t);
  const { stream, consumer } = await frameOf(main);
  using there = other.import(stream.handle()).frames();
  for (const each of [consumer, there]) {
    using frame = await each.next();
    assert.equal(frame!.bytes.length, 100);
  }
  assert.deepEqual(main.copies(), []);
});

test("a full table loses what others could read, and nothing else (copy-slot.3)", LIMITED, async (t) => {
  const { main, other } = two(t, { copies: 1 });
  await COPIES["frame.copy()"]!(main);
  const bytes = await COPIES["access.copy()"]!(other);
  const whys = (domain: Domain): string[] => domain.copies().map(({ why }) => why);
  assert.deepEqual(other.copies()[0], { agent: "other", why: "access.copy()", bytes, times: 1 });
  assert.deepEqual(whys(other), ["access.copy()", "frame.copy()"]);
  assert.deepEqual(whys(main), ["frame.copy()"]);
});

test("what an agent has copied goes with it (copy-slot.1)", LIMITED, async (t) => {
  const main = Domain.create();
  t.after(() => main.close());
  const other = Domain.join(main.invite({ name: "other" }));
  await COPIES["frame.copy()"]!(other);
  assert.equal(main.copies().length, 1);
  other.close();
  assert.deepEqual(main.copies(), []);
  assert.throws(() => other.copies(), { code: "EBADF" });
});

test(
  "an entry that is not whole counts for nothing, and its slot is free after its owner's death (copy-slot.2)",
  LIMITED,
  (t) => {
    const { main, other } = two(t, { copies: 1 });
    const agent = agentOf(other);
    const entry = { why: "frame.copy()", place: "", bytes: 7, times: 1 } as const;
    const slot = claimCopy(agent, entry)!;
    const word = agent.layout.copy(slot) + COPY.TIMES;
    assert.deepEqual(storedCopies(agentOf(main)), [{ ...entry, owner: agent.identity }]);
    // It dies before it has stored all.
    agent.memory.store(word, 0);
    assert.deepEqual(storedCopies(agentOf(main)), []);
    COPY_RECOVERY.sweep!(agentOf(main), slot, agent.identity);
    assert.deepEqual(claimCopy(agentOf(main), entry), slot);
  },
);
