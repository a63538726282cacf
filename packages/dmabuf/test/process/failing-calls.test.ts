/**
 * Each public function, with each of its system calls failing in turn, and with each table of the domain too full for it:
 * nothing is left of it then. What is compared: descriptors, mappings of memory files, and all that is in use in the
 * control segment.
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { claimBuffer } from "../../src/buffer/buffer-slot.js";
import { claimOneShot } from "../../src/domain/one-shot-slot.js";
import { claimTimeline } from "../../src/domain/timeline-slot.js";
import { DmaBufError, rawFormat } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { claimUserFence } from "../../src/fence/user-fence-slot.js";
import { claimStream } from "../../src/stream/stream-slot.js";
import { closeDescriptor, createEventCounter, POLL } from "../../src/node/system-calls/index.js";
import { watchDescriptor } from "../../src/node/waiting/poller.js";
import { pause, until } from "../agents.js";
import { ONCE } from "../once.js";
import { segmentState } from "../segment-state.js";
import { FailingLibrary } from "./failing-library.js";
import { collectGarbage, mappedFiles, openFiles } from "./open-files.js";
import { inWorld, PUBLIC_CALLS, SIZES, type PublicCall, type World } from "./public-calls.js";

const LIMIT = { ...ONCE, timeout: 240_000, concurrency: 1 };
/** How long what is given back on the event loop may take. */
const SETTLING_MS = 20_000;

const library = FailingLibrary.install();

// It comes first: afterwards this thread has its poller, which stays, and no call below makes another one (poller.1).
test("nothing is left of the poller when one of the system calls that make it fails", LIMIT, () =>
  inWorld(async (world) => {
    const counter = createEventCounter(1);
    try {
      const before = await settledState(world);
      const failed: (string | undefined)[] = [];
      for (let at = 1; at <= 3; at++) {
        library.begin(at);
        assert.throws(() => watchDescriptor(counter, POLL.READABLE, () => {}), DmaBufError);
        failed.push(library.end());
        assert.deepEqual(state(world), before, `at a failure of ${failed.at(-1)}`);
      }
      assert.deepEqual(failed, ["epoll_create1", "eventfd", "epoll_ctl"]);
      let hasReported = false;
      const endWatch = watchDescriptor(counter, POLL.READABLE, () => (hasReported = true));
      await until(() => hasReported);
      endWatch();
    } finally {
      closeDescriptor(counter);
    }
  }),
);

for (const [name, call] of Object.entries(PUBLIC_CALLS)) {
  test(`nothing is left of ${name} when one of its system calls fails`, LIMIT, (t) =>
    inWorld(async (world) => {
      // What is made once for the whole thread is there afterwards.
      await tryCall(world, call, async (run) => void (await run()));
      let at = 0;
      const failures = new Set<string>();
      for (let failed: string | undefined = ""; failed !== undefined;) {
        at++;
        await tryCall(world, call, async (run) => {
          library.begin(at);
          const outcome = await run();
          failed = library.end();
          if (failed !== undefined) failures.add(failed);
          return `call ${at}, ${failed}, has failed: ${outcome?.message ?? "it went on"}`;
        });
      }
      t.diagnostic(`${at - 1} calls failed: ${[...failures].join(", ")}`);
    }),
  );
}

test(
  "a message that cannot be received in the background is a warning, and is received later (mailbox.7)",
  LIMIT,
  (t) =>
    inWorld(async ({ first, second }) => {
      const warned = t.mock.method(process, "emitWarning", () => {});
      const found = first.findStream("late", { timeout: 60_000 });
      // Each fails until one has.
      library.before = (name) => name === "recvmsg" && warned.mock.callCount() === 0 && library.begin(1);
      try {
        using _made = second.createStream({ name: "late", format: rawFormat(64) });
        (await found).close();
      } finally {
        library.before = () => {};
        library.end();
      }
      assert.match(String(warned.mock.calls[0]?.arguments[0]), /are left for later: .*ENOMEM: Cannot receive/);
    }),
);

/** How each table is filled, by an agent that leaves afterwards. */
const CLAIMS: Record<string, (filler: ProcessDomain) => unknown> = {
  buffers: (filler) => claimBuffer(agentOf(filler), { size: 1, name: "", exporterName: "" }),
  timelines: (filler) => claimTimeline(agentOf(filler), { name: "", driverName: "", timeLimit: 60_000 }),
  oneShots: (filler) =>
    claimOneShot(agentOf(filler), {
      name: "",
      driverName: "",
      timeLimit: 60_000,
      context: 1,
      seqno: 1,
      seqno32: false,
    }),
  streams: (filler) => claimStream(agentOf(filler), "", []),
  syncobjs: (filler) => filler.createSyncobj().handle(),
  userFences: (filler) => claimUserFence(agentOf(filler), ""),
  agents: (filler) => filler.invite(),
};

for (const table of Object.keys(CLAIMS)) {
  test(`nothing is left of any call for which there are too few ${table}`, LIMIT, () =>
    inWorld(async (world) => {
      let refused = 0;
      for (const [name, call] of Object.entries(PUBLIC_CALLS)) {
        for (let free = 0, isFull = true; isFull; free++) {
          isFull = false;
          await tryCall(world, call, async (run) => {
            using _filler = await fill(world, table, free);
            const outcome = await run();
            isFull = outcome instanceof DmaBufError && outcome.code === "ENOSPC";
            if (isFull) refused++;
            else assert.equal(outcome, undefined, name);
            return `${name}, with ${free} free ${table}`;
          });
        }
      }
      assert.ok(refused > 0, "no call takes one of these");
    }),
  );
}

/** Leaves so many slots of a table free. */
async function fill({ place }: World, table: string, free: number): Promise<ProcessDomain> {
  const filler = await ProcessDomain.connect(place, { name: "filler" });
  const agents = table === "agents";
  const capacity = SIZES[table as keyof typeof SIZES];
  const claimed: unknown[] = [];
  try {
    while (claimed.length < capacity) claimed.push(CLAIMS[table]!(filler));
  } catch (error) {
    assert.equal((error as DmaBufError).code, "ENOSPC");
  }
  assert.ok(claimed.length >= free && (agents || claimed.length > 0));
  filler.close();
  const again = await ProcessDomain.connect(place, { name: "filler" });
  for (let i = 0; i < claimed.length - free; i++) CLAIMS[table]!(again);
  return again;
}

/** The call's error, if it fails. */
type Run = () => Promise<Error | undefined>;

/**
 * Makes the call, looks for what it has left if it failed, disposes what it gave and what it was given, and looks again.
 *
 * @param around Runs it; that gives the error, or `undefined`. It returns what was done, for people.
 */
async function tryCall(
  world: World,
  { before, usesUp = false, call }: PublicCall,
  around: (run: Run) => Promise<unknown>,
): Promise<void> {
  const kept: Disposable[] = [];
  const atFirst = await settledState(world);
  const given = await before?.(world, (made) => {
    kept.push(made);
    return made;
  });
  const prepared = await settledState(world);
  let hasFailed = false;
  const what = await around(async () => {
    try {
      const result = await call(world, given);
      (result as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
      return undefined;
    } catch (error) {
      hasFailed = true;
      assert.ok(error instanceof DmaBufError, `it fails with another error: ${(error as Error).stack}`);
      return error;
    }
  });
  if (hasFailed && !usesUp) await checkState(world, prepared, `at a failure, ${String(what)}`);
  for (const made of kept.reverse()) made[Symbol.dispose]();
  await checkState(world, atFirst, `when all is closed, ${String(what)}`);
}

async function checkState(world: World, expected: readonly string[], when: string): Promise<void> {
  let actual = state(world);
  for (const end = Date.now() + SETTLING_MS; !isEqual(actual, expected) && Date.now() < end; actual = state(world)) {
    await pause(1);
    // Memory of which a view is left goes with the view.
    collectGarbage();
  }
  assert.deepEqual(actual, expected, when);
}

/** The state when what is under way has come to its end: it is the same for a while. */
async function settledState(world: World): Promise<string[]> {
  for (let last = state(world); ;) {
    await pause(5);
    const next = state(world);
    if (isEqual(last, next)) return next;
    last = next;
  }
}

function isEqual(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, index) => line === other[index]);
}

function state({ first }: World): string[] {
  return [...openFiles(), `${mappedFiles()} mappings`, ...segmentState(agentOf(first))];
}
