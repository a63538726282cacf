/* eslint-disable max-lines -- one test for each kind of wait and each rule, all with the same two agents */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { agentOf } from "../domain-base.js";
import { AGENT } from "../domain/layout.js";
import { usedSlots } from "../domain/table.js";
import { slotOf } from "../domain/agent-slot.js";
import { DmaBufError } from "../errors.js";
import {
  Domain,
  rawFormat,
  type DomainOptions,
  type Explanation,
  type ExplainedThing,
  type JoinOptions,
} from "../index.js";
import { pause } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { exported } from "../../test/waiting.js";
import { storeActivity, storedActivities } from "./activity-slot.js";
import { explainFrom } from "./explain.js";
import { segmentOf } from "../domain/segment-protocol.js";

const LIMITED = { timeout: 60_000 };

/** Two agents in this thread. */
function two(t: TestContext, options: DomainOptions = {}, joining: JoinOptions = {}): { main: Domain; other: Domain } {
  const main = Domain.create(options);
  const other = Domain.join(main.invite({ name: "other" }), joining);
  t.after(() => {
    other.close();
    main.close();
  });
  return { main, other };
}

/** V8 writes it there; Firefox and WebKit show both. */
const STACK_HAS_MESSAGE = new Error("a message").stack!.includes("a message");

/** Waits that the test ends, whatever the time. @returns What ends them. */
function waitingFor(
  waits: (until: { readonly signal: AbortSignal }) => readonly Promise<unknown>[],
): () => Promise<void> {
  const end = new AbortController();
  const rejected = waits({ signal: end.signal }).map((wait) => assert.rejects(wait, { name: "AbortError" }));
  return async () => {
    end.abort();
    await Promise.all(rejected);
  };
}

/** Until what is done now has lasted long enough to be told: in steps, as the agent's own timers are late on a busy machine, too. */
async function lasting(): Promise<void> {
  for (let step = 0; step < 4; step++) await pause(100);
}

function sentence({ sentence: text }: Explanation): string {
  return text.replaceAll(/ for \d+(\.\d)? s/g, " for T s");
}

/** The explanation in the error of a wait that has timed out. */
async function late(wait: Promise<unknown>): Promise<Explanation> {
  try {
    await wait;
  } catch (error) {
    assert.ok(error instanceof DmaBufError);
    assert.equal(error.code, "ETIMEDOUT");
    assert.ok(error.explanation !== undefined, `it explains nothing: ${error.message}`);
    assert.ok(error.message.endsWith(error.explanation.sentence));
    if (STACK_HAS_MESSAGE) assert.ok(error.stack!.includes(error.explanation.sentence));
    return error.explanation;
  }
  assert.fail("it has not timed out");
}

const SOON = { timeout: 20 };
/** In milliseconds: before that nothing is long. */
const SOON_OVER = 200;

test(
  "what holds up a buffer, or a wait for it, is the agent that accesses it, with the time if that is long",
  LIMITED,
  async (t) => {
    const { main, other } = two(t);
    const buffer = main.allocate(4096, { name: "frame" });
    const imported = other.import(buffer.handle());
    const began = performance.now();
    const writing = await imported.access("write");
    const said = 'agent "other" holds a write access of buffer "frame", and waits for nothing in this domain';
    const saidFor = /^agent "other" holds a write access of buffer "frame" for \d\.\d s, and waits for nothing/;
    for (const sentence of [main.explain(buffer).sentence, (await late(buffer.access("read", SOON))).sentence]) {
      // On a busy machine it may have been long already.
      if (performance.now() - began < SOON_OVER) assert.equal(sentence, said);
      else assert.ok(sentence === said || saidFor.test(sentence), sentence);
    }
    await lasting();
    const later = main.explain(buffer);
    // A busy machine may take any longer time.
    assert.match(
      later.sentence,
      /^agent "other" holds a write access of buffer "frame" for (0\.[3-9]|[1-9]\d*(\.\d)?) s, and waits/,
    );
    assert.equal(later.root?.name, "other");
    writing.close();
    assert.equal(main.explain(buffer).sentence, 'no agent is known to hold up buffer "frame"');
    assert.deepEqual(storedActivities(agentOf(main)), [], "the entry has stayed");
    using _reading = await imported.access("read");
    assert.match(
      (await late(buffer.access("write", SOON))).sentence,
      /"other" holds a read access of buffer "frame", and/,
    );
  },
);

test(
  "a thread that blocks says what it held before, and for what it blocks (activities.2)",
  { ...LIMITED, ...BLOCKS },
  (t) => {
    const { main, other } = two(t);
    const [buffer, held] = ["frame", "held"].map((name) => main.allocate(4096, { name }));
    const there = other.import(buffer!.handle());
    using _writing = there.tryAccess("write");
    using _held = held!.tryAccess("write");
    let seen: Explanation | undefined;
    agentOf(main).addInterrupt(() => (seen = other.explain(there)));
    assert.throws(() => buffer!.accessSync("read", { timeout: 400 }), { code: "ETIMEDOUT" });
    const [thing] = seen!.toJSON().things;
    assert.deepEqual(
      thing!.awaitedBy.map(({ name }) => name),
      ["main"],
    );
    assert.deepEqual(
      storedActivities(agentOf(main)).map(({ does, blocks }) => ({ does, blocks })),
      [{ does: "writes", blocks: false }],
      "what was held is told, and the end of the wait is noticed",
    );
  },
);

test("a lock is its holder's, under a context too", LIMITED, async (t) => {
  const { main, other } = two(t);
  const buffer = main.allocate(4096, { name: "frame" });
  const imported = other.import(buffer.handle());
  const lock = await imported.reservation.lock();
  const said = /^agent "other" holds the lock of buffer "frame" for \d\.\d s, and waits for nothing/;
  await lasting();
  assert.match((await late(buffer.reservation.lock(undefined, SOON))).sentence, said);
  lock.close();
  using context = other.createAcquireContext();
  await imported.reservation.lock(context);
  await lasting();
  assert.match(main.explain(buffer.reservation).sentence, said);
  assert.equal(context.ticket > 0, true);
});

test("a fence is the agent's that signals it, and of a job it says that it runs", LIMITED, async (t) => {
  const { main, other } = two(t);
  const timeline = other.createTimeline({ name: "gpu" });
  const fence = main.import(timeline.createFence().handle());
  const said = `agent "other" has not signaled fence ${fence.context}:1 of timeline "gpu", and waits for nothing in this domain`;
  assert.equal(main.explain(fence).sentence, said);
  assert.equal((await late(fence.result(SOON))).sentence, said);
  let finish = (): void => {};
  const queue = other.createQueue({ name: "work", run: () => new Promise<void>((resolve) => (finish = resolve)) });
  const finished = main.import((await queue.submit({})).handle());
  await lasting();
  assert.equal(
    sentence(main.explain(finished)),
    `agent "other" runs the job of fence ${finished.context}:1 of timeline "work" for T s, and waits for nothing in this domain`,
  );
  assert.match(other.explain(queue).sentence, /^this thread \("other"\) runs the job/);
  finish();
  await finished.wait();
  assert.equal(other.explain(queue).sentence, "nothing is waited for");
  timeline.signal(1);
  assert.equal(main.explain(fence).sentence, "nothing is waited for");
});

test("a thread that blocks for a fence hears from whom it is", { ...LIMITED, ...BLOCKS }, (t) => {
  const { main, other } = two(t);
  const fence = main.import(other.createTimeline({ name: "gpu" }).createFence().handle());
  assert.throws(() => fence.resultSync(SOON), { message: new RegExp(`in 20 ms; agent "other" has not signaled`) });
});

test("a job that waits leads to what it depends on", LIMITED, async (t) => {
  const { main, other } = two(t);
  const timeline = other.createTimeline({ name: "gpu" });
  const needed = main.import(timeline.createFence().handle());
  const queue = main.createQueue({ name: "work", run: () => {} });
  const finished = await queue.submit({ dependencies: [needed] });
  assert.match(main.explain(queue).sentence, /^agent "other" has not signaled fence \d+:1 of timeline "gpu"/);
  assert.match(other.explain(other.import(finished.handle())).sentence, /^agent "main" has not signaled .*"work"/);
  timeline.signal(1);
  await finished.wait();
});

test("fences in an array, and one that no other agent knows, are named", LIMITED, async (t) => {
  const { main, other } = two(t);
  const ours = main.createFence({ driverName: "driver", timelineName: "line" });
  const theirs = main.import(other.createTimeline({ name: "gpu" }).createFence().handle());
  const { things } = main.explain(main.createFenceArray([ours, theirs])).toJSON();
  assert.deepEqual(
    things.map(({ kind, heldUpBy }) => [kind, heldUpBy[0]!.agent.state]),
    [
      ["own-fence", "here"],
      ["fence", "live"],
    ],
  );
  assert.match(
    (await late(ours.result(SOON))).sentence,
    /^this thread \("main"\) has not signaled fence \d+:1 of timeline "line"/,
  );
});

test("a user fence is all agents' that have it, of which any may end it", LIMITED, async (t) => {
  const { main, other } = two(t);
  const fence = main.createUserFence({ name: "go" });
  using _there = other.import(fence.handle());
  const waiting = fence.wait();
  await lasting();
  const { things } = main.explain(fence).toJSON();
  assert.deepEqual(
    things[0]!.heldUpBy.map(({ agent, text }) => [agent.name, text]),
    [["other", 'may signal user fence "go", but promises nothing']],
  );
  assert.deepEqual(
    things[0]!.awaitedBy.map(({ name }) => name),
    ["main"],
  );
  fence.signal();
  await waiting;
});

test(
  "a loan is held up by those who use frames, or have not taken them; a frame by the producer",
  LIMITED,
  async (t) => {
    const { main, other } = two(t);
    const stream = main.createStream({ name: "camera", format: rawFormat(4), buffers: 2 });
    await assert.rejects(stream.waitForConsumers(1, SOON), {
      message: /no agent is known to hold up 1 consumer of stream/,
    });
    const consumer = other.import(stream.handle()).frames();
    assert.equal(
      (await late(consumer.next(SOON))).sentence,
      'agent "main" has published no further frame of stream "camera", and waits for nothing in this domain',
    );
    for (let i = 0; i < 2; i++) (await stream.loan())!.publish();
    const frame = await consumer.next();
    await lasting();
    const { things } = (await late(stream.loan(SOON))).toJSON();
    assert.deepEqual(
      things[0]!.heldUpBy.map(({ agent, text, since }) => [agent.name, text, since !== undefined]),
      [["other", 'uses a frame of stream "camera"', true]],
    );
    frame!.close();
    using _loan = await stream.loan();
    assert.match(
      main.explain(stream).sentence,
      /has a loan of stream "camera" that it has not published|has not taken/,
    );
  },
);

test("an answer is the exporter's (waits.3)", LIMITED, async (t) => {
  const { main, other } = two(t);
  const buffer = exported(main, { attach: () => new Promise<never>(() => {}) });
  const asked = late(other.import(buffer.handle()).attach({}, { timeout: 500 }));
  // waits.3: it is told at once.
  await pause(0);
  assert.equal(main.explain().toJSON().things[0]!.awaitedBy[0]!.name, "other");
  const { sentence: said } = await asked;
  assert.match(said, /^agent "main" has not answered what it was asked as the exporter of buffer 0, and/);
});

test("a pending promise is explained by what its call waits for, one that is ready by nothing", LIMITED, async (t) => {
  const { main, other } = two(t);
  const buffer = main.allocate(4096, { name: "frame" });
  const writing = await other.import(buffer.handle()).access("write");
  const promise = buffer.access("read");
  assert.match(main.explain(promise).sentence, /^agent "other" holds a write access of buffer "frame"/);
  writing.close();
  (await promise).close();
  assert.equal(main.explain(promise).sentence, "nothing is waited for");
  assert.equal(main.explain(Promise.resolve()).sentence, "nothing is waited for");
});

test("a chain leads over all agents to the one that waits for nothing", LIMITED, async (t) => {
  const { main, other } = two(t);
  const third = Domain.join(main.invite({ name: "third" }));
  t.after(() => third.close());
  const [frame, mask] = ["frame", "mask"].map((name) => main.allocate(4096, { name }));
  using _frame = await other.import(frame!.handle()).access("write");
  using _mask = await third.import(mask!.handle()).access("write");
  const end = waitingFor((until) => [other.import(mask!.handle()).access("read", until)]);
  await lasting();
  const explanation = await late(frame!.access("read", SOON));
  assert.equal(
    sentence(explanation),
    'agent "other" holds a write access of buffer "frame" for T s, and waits to read buffer "mask" for T s; ' +
      'agent "third" holds a write access of buffer "mask" for T s, and waits for nothing in this domain',
  );
  assert.equal(explanation.root?.name, "third");
  assert.equal(explanation.tree.split("\n").length, 4);
  assert.deepEqual(
    main
      .explain()
      .toJSON()
      .things.map(({ text }) => text),
    ['buffer "mask"'],
  );
  await end();
});

test("a circle is drawn once, and has no root", LIMITED, async (t) => {
  const { main, other } = two(t);
  const [frame, mask] = ["frame", "mask"].map((name) => main.allocate(4096, { name }));
  using _frame = await main.import(frame!.handle()).access("write");
  using _mask = await other.import(mask!.handle()).access("write");
  const imported = other.import(frame!.handle());
  const end = waitingFor((until) => [mask!.access("read", until), imported.access("read", until)]);
  await lasting();
  const explanation = main.explain(mask);
  assert.equal(
    sentence(explanation),
    'agent "other" holds a write access of buffer "mask" for T s, and waits to read buffer "frame" for T s; ' +
      'this thread ("main") holds a write access of buffer "frame" for T s, and waits to read buffer "mask" for T s; ' +
      'agent "other" holds a write access of buffer "mask" for T s, which closes the circle',
  );
  assert.equal(explanation.root, undefined);
  await assert.rejects(mask!.access("read", SOON), { message: /which closes the circle/ });
  await assert.rejects(imported.access("read", SOON), { message: /agent "main" holds a write access/ });
  await end();
});

test("a full table loses the times, and nothing else (activity-slot.4, waits.2)", LIMITED, async (t) => {
  const { main, other } = two(t, { activities: 1 });
  const [frame, mask] = ["frame", "mask"].map((name) => main.allocate(4096, { name }));
  using _taken = await frame!.access("write");
  const imported = other.import(mask!.handle());
  await lasting();
  using _mask = await imported.access("write");
  await lasting();
  assert.equal(
    main.explain(mask).sentence,
    'agent "other" holds a write access of buffer "mask", and waits for nothing in this domain',
  );
});

test("what an agent told is gone when it has left or died (activity-slot.1)", LIMITED, async (t) => {
  const main = Domain.create();
  t.after(() => main.close());
  const other = Domain.join(main.invite({ name: "other" }));
  const buffer = main.allocate(4096, { name: "frame" });
  await other.import(buffer.handle()).access("write");
  await lasting();
  assert.equal(storedActivities(agentOf(main)).length, 1);
  other.close();
  assert.deepEqual(storedActivities(agentOf(main)), []);
});

test("an agent of another process is named by it, and so is one that is stopped (explain.1)", LIMITED, async (t) => {
  const { main, other } = two(t);
  const buffer = main.allocate(4096, { name: "frame" });
  using _writing = await other.import(buffer.handle()).access("write");
  const agent = agentOf(main);
  const process = agent.layout.agent(slotOf(agentOf(other).identity)) + AGENT.PROCESS;
  agent.memory.store(process, 812);
  const thing = { kind: "buffer", slot: 0 } as const;
  const host = { nowNs: () => 0, isStopped: (number: number) => number === 812, processId: 1 };
  const { memory, layout, protocol } = agent;
  const outside = explainFrom({ memory, layout, protocol, identity: 0, host }, [thing]);
  assert.equal(outside.sentence, 'process 812 ("other"), which is stopped, holds a write access of buffer "frame"');
  const alive = explainFrom({ memory, layout, protocol, identity: 0, host: { ...host, isStopped: () => false } }, [
    thing,
  ]);
  assert.equal(
    alive.sentence,
    'process 812 ("other") holds a write access of buffer "frame", and waits for nothing in this domain',
  );
});

test(
  "what is short is told to no agent, and what lasts from its beginning at the latest (activities.1, activities.3)",
  LIMITED,
  async (t) => {
    const { main, other } = two(t);
    const buffer = main.allocate(4096, { name: "frame" });
    const imported = other.import(buffer.handle());
    for (let i = 0; i < 20; i++) {
      const writing = await imported.access("write");
      const reading = buffer.access("read");
      writing.close();
      (await reading).close();
    }
    await lasting();
    assert.equal(usedSlots(agentOf(main), "activities"), 0);
    using _writing = await imported.access("write");
    const begun = main.now();
    await lasting();
    const [entry] = storedActivities(agentOf(main));
    assert.ok(entry!.since <= begun);
  },
);

test("a fence that another task of the same thread signals is no circle (explain.2)", LIMITED, async (t) => {
  const { main } = two(t);
  const timeline = main.createTimeline({ name: "gpu" });
  const fence = timeline.createFence();
  fence.handle();
  const waiting = fence.wait();
  await lasting();
  const explanation = main.explain(waiting);
  assert.match(
    explanation.sentence,
    /^this thread \("main"\) has not signaled .*, and waits for nothing in this domain$/,
  );
  timeline.signal(1);
  await waiting;
});

test("what an agent waits for is shown once (explain.3)", LIMITED, async (t) => {
  const { main, other } = two(t);
  const [one, second, mask] = ["one", "two", "mask"].map((name) => main.allocate(4096, { name }));
  using _one = await other.import(one!.handle()).access("write");
  using _two = await other.import(second!.handle()).access("write");
  using _mask = await mask!.access("write");
  const end = waitingFor((until) => [
    other.import(mask!.handle()).access("read", until),
    one!.access("read", until),
    second!.access("read", until),
  ]);
  await lasting();
  const text = main.explain().tree;
  assert.equal(text.split('waits to read buffer "mask"').length, 2, text);
  assert.match(text, /\(see above\)/);
  await end();
});

test("a writer that waits for readers is in the way of later ones, and not of them (holders.2)", LIMITED, async (t) => {
  const { main, other } = two(t);
  const third = Domain.join(main.invite({ name: "third" }));
  t.after(() => third.close());
  const buffer = main.allocate(4096, { name: "frame" });
  using _reading = await buffer.access("read");
  const end = waitingFor((until) => [other.import(buffer.handle()).access("write", until)]);
  await lasting();
  assert.equal(
    sentence(await late(third.import(buffer.handle()).access("read", SOON))),
    'agent "other" is the next to write buffer "frame", and waits to write buffer "frame" for T s; ' +
      'agent "main" holds a read access of buffer "frame" for T s, and waits for nothing in this domain',
  );
  await end();
});

test("a wait that is over by the words is over, whatever was told of it (waits.1)", LIMITED, (t) => {
  const { main } = two(t);
  using _buffer = main.allocate(4096);
  const wait = { does: "awaits-lock", slot: 0, generation: 0, number: 0, since: 1, blocks: true, place: "" } as const;
  assert.notEqual(storeActivity(agentOf(main), wait), undefined);
  assert.equal(main.explain().sentence, "nothing is waited for");
});

test("an explanation is plain data, of one form", LIMITED, async (t) => {
  const { main, other } = two(t);
  const buffer = main.allocate(4096, { name: "frame" });
  using _writing = await other.import(buffer.handle()).access("write");
  const data = JSON.parse(JSON.stringify(main.explain(buffer))) as { at: number; things: ExplainedThing[] };
  const { identity } = agentOf(other);
  const agent = { name: "other", identity, state: "live" };
  assert.deepEqual(data, {
    version: 1,
    sentence: 'agent "other" holds a write access of buffer "frame", and waits for nothing in this domain',
    at: data.at,
    things: [
      {
        kind: "buffer",
        text: 'buffer "frame"',
        any: false,
        heldUpBy: [
          { agent, text: 'holds a write access of buffer "frame"', waitsFor: [], circle: false, shown: false },
        ],
        awaitedBy: [],
      },
    ],
    root: agent,
  });
});

test("the words that are read stay as they are (holders.1)", LIMITED, async (t) => {
  const { main, other } = two(t);
  const buffer = main.allocate(4096, { name: "frame" });
  using _writing = await other.import(buffer.handle()).access("write");
  const { memory, layout, host } = agentOf(main);
  const read = {
    words: memory.words,
    load: (word: number) => memory.load(word),
    load64: (word: number) => memory.load64(word),
  };
  // Whatever else is called is no function.
  const view = { ...segmentOf(read as typeof memory, layout), identity: 0, host };
  assert.match(explainFrom(view, [{ kind: "buffer", slot: 0 }]).sentence, /"other" holds a write access/);
  assert.equal(explainFrom(view).sentence, "nothing is waited for");
});
