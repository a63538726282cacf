/** The locking convention: which calls need the reservation locked, which must not have it, and how callbacks run. */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { DmaBuf, Domain, ExporterOps, Reservation } from "../../src/index.js";
import { LOCK_ATTEMPT } from "../../src/domain/layout.js";
import { createDomain, joinDomain, until } from "../agents.js";
import { memoryOf } from "./buffers.js";

const LIMIT = { timeout: 20_000 };

/** How an exporter's operations and an importer's callback are called, by the convention. */
const CALLED: Readonly<Record<keyof ExporterOps | "moveNotify", "locked" | "open">> = {
  pin: "locked",
  unpin: "locked",
  map: "locked",
  unmap: "locked",
  vmap: "locked",
  vunmap: "locked",
  moveNotify: "locked",
  attach: "open",
  detach: "open",
  release: "open",
  beginCpuAccess: "open",
  endCpuAccess: "open",
  mmap: "open",
};

/** Calls that need the lock, by an importer that follows moves. */
const NEED_THE_LOCK: Readonly<Record<string, (scene: Scene) => unknown>> = {
  pin: ({ attachment }) => attachment.pinSync(),
  unpin: ({ attachment }) => attachment.unpin(),
  map: ({ attachment }) => attachment.mapLockedSync(),
  unmap: ({ mapping }) => mapping.unmapLocked(),
  vmap: ({ buffer }) => buffer.vmap(),
  vunmap: ({ buffer }) => buffer.vunmap(),
  moveNotify: ({ buffer }) => buffer.moveNotify(),
};

/** Calls that must not have it; what they return is disposed. */
const MUST_NOT_HAVE_IT: Readonly<Record<string, (scene: Scene) => unknown>> = {
  attach: ({ buffer }) => buffer.attachSync(),
  detach: ({ attachment }) => attachment[Symbol.dispose](),
  mmap: ({ buffer }) => buffer.mmap(),
  beginCpuAccess: ({ buffer }) => buffer.beginCpuAccessSync("read"),
  endCpuAccess: ({ buffer }) => buffer.endCpuAccess("read"),
  access: ({ buffer }) => buffer.accessSync("read"),
  tryAccess: ({ buffer }) => buffer.tryAccess("read"),
};

type Scene = Awaited<ReturnType<typeof scene>>;

for (const where of ["its exporter's own thread", "another thread"]) {
  test(
    `the callbacks of a buffer that is used in ${where} run with the lock or without, as they must`,
    LIMIT,
    async (t) => {
      const called = new Map<string, string>();
      const { exported, use } = exportRecorded(t, where, (name, reservation) => {
        called.set(name, reservation.isHeldHere ? "locked" : "open");
      });
      const reservation = use.reservation;
      const attachment = await use.attach({
        moveNotify: (self) => void called.set("moveNotify", self.reservation.isHeldHere ? "locked" : "open"),
      });
      {
        using _lock = await reservation.lock();
        await attachment.pin();
        attachment.unpin();
      }
      (await attachment.map())[Symbol.dispose]();
      await exported.move(memoryOf(1));
      (await use.access("write"))[Symbol.dispose]();
      // The exporter hears of it later: not while this code has the lock.
      await until(() => called.has("endCpuAccess"));
      // It blocks until the exporter has answered, so here only the exporter's own agent can ask for it.
      exported.mmap()[Symbol.dispose]();
      {
        using _lock = await exported.reservation.lock();
        exported.vmap();
        exported.vunmap();
      }
      attachment[Symbol.dispose]();
      use.close();
      exported.close();
      await until(() => called.has("release"));
      assert.deepEqual(Object.fromEntries(called), CALLED);
    },
  );
}

describe("a caller without the lock", () => {
  for (const [name, call] of Object.entries(NEED_THE_LOCK)) {
    test(`is refused ${name}`, LIMIT, async (t) => {
      const setting = await scene(t);
      await assert.rejects(async () => void (await call(setting)), { code: "EPERM" });
      assert.deepEqual(setting.warnings, []);
    });
  }
});

describe("a caller with the lock", () => {
  for (const [name, call] of Object.entries(MUST_NOT_HAVE_IT)) {
    test(`is warned of ${name}, and one without it is not`, LIMIT, async (t) => {
      const setting = await scene(t);
      {
        using _lock = await setting.buffer.reservation.lock();
        (call(setting) as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
      }
      assert.match(setting.warnings.join("\n"), /^Do not .* while this thread has locked its reservation$/m);
      const other = await scene(t);
      (call(other) as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
      assert.deepEqual(other.warnings, []);
    });
  }

  test("that maps or moves without saying that it has it is not left to wait for itself", LIMIT, async (t) => {
    const { buffer, attachment, warnings } = await scene(t);
    using _lock = await buffer.reservation.lock();
    await assert.rejects(buffer.move(memoryOf(1)), { code: "EDEADLK" });
    assert.throws(() => buffer.reservation.lockSync(), { code: "EDEADLK" });
    await assert.rejects(attachment.map("read", { timeout: 5 }), { code: "ETIMEDOUT" });
    assert.equal(warnings.length, 1);
  });
});

test("code that runs while the library moves the storage is not taken for its lock's holder", LIMIT, async (t) => {
  const { buffer, warnings } = await scene(t);
  await buffer.move(() => {
    buffer.attachSync()[Symbol.dispose]();
    return { segments: memoryOf(1) };
  });
  assert.deepEqual(warnings, []);
});

test("an exporter moves what it maps for another thread just then, once it has mapped it", LIMIT, async (t) => {
  const domain = createDomain(t);
  let map: ((segments: ReturnType<typeof memoryOf>) => void) | undefined;
  const ops: ExporterOps = { map: () => new Promise((resolve) => (map = resolve)), unmap() {}, release() {} };
  const exported = domain.export(memoryOf(1), { ops });
  const attachment = await joinDomain(t, domain, "user").import(exported.handle()).attach();
  const mapping = attachment.map();
  await until(() => map !== undefined);
  const moved = exported.move(memoryOf(1));
  map!(memoryOf(1));
  (await mapping)[Symbol.dispose]();
  await moved;
});

test(
  "an exporter moves its buffer just when the library has waited for the lock to unmap for another thread",
  LIMIT,
  async (t) => {
    const domain = createDomain(t);
    const ops: ExporterOps = { map: () => memoryOf(1), unmap() {}, release() {} };
    const exported = domain.export(memoryOf(1), { ops });
    const attachment = await joinDomain(t, domain, "user").import(exported.handle()).attach();
    const mapping = await attachment.map();
    // The library has the lock, and its own code, which waits for it, has not gone on yet.
    let moved: Promise<void> | undefined;
    let waits = false;
    const agent = agentOf(domain);
    const { protocol } = agent;
    const tryTakeLock: typeof protocol.tryTakeLock = (...about) => {
      const found = protocol.tryTakeLock(...about);
      if (found !== LOCK_ATTEMPT.TAKEN) waits = true;
      else queueMicrotask(() => void (moved ??= exported.move(memoryOf(1))));
      return found;
    };
    const lock = await attachment.reservation.lock();
    mapping[Symbol.dispose]();
    // Where words are shared by Atomics, the protocol's methods are its class's.
    const watched = Object.create(protocol, { tryTakeLock: { value: tryTakeLock } }) as typeof protocol;
    Object.defineProperty(agent, "protocol", { value: watched });
    t.after(() => Object.defineProperty(agent, "protocol", { value: protocol }));
    await until(() => waits);
    lock.close();
    await until(() => moved !== undefined);
    await moved;
  },
);

/** A buffer with an importer that follows moves, whose mapping is open; and what the library warns of. */
async function scene(t: TestContext) {
  const domain = createDomain(t);
  const warnings: string[] = [];
  const { host } = agentOf(domain);
  const before = { ...host };
  Object.assign(host, { warn: (message: string) => void warnings.push(message) });
  t.after(() => Object.assign(host, before));
  const { exported: buffer } = exportRecorded(t, domain, () => {});
  const attachment = buffer.attachSync({ moveNotify() {} });
  const mapping = await attachment.map();
  warnings.length = 0;
  return { domain, buffer, attachment, mapping, warnings };
}

/** A buffer whose exporter has all operations. */
function exportRecorded(
  t: TestContext,
  where: string | Domain,
  called: (name: keyof ExporterOps, reservation: Reservation) => void,
): { exported: DmaBuf; use: DmaBuf } {
  const domain = typeof where === "string" ? createDomain(t) : where;
  const note = (name: keyof ExporterOps) => (): void => called(name, reservation);
  const names = [
    "attach",
    "detach",
    "pin",
    "unpin",
    "unmap",
    "beginCpuAccess",
    "endCpuAccess",
    "mmap",
    "vunmap",
  ] as const;
  const notes = Object.fromEntries([...names, "release" as const].map((name) => [name, note(name)]));
  const ops = {
    ...notes,
    map: () => (called("map", reservation), memoryOf(1)),
    vmap: () => (called("vmap", reservation), new Uint8Array(4096)),
  } as unknown as ExporterOps;
  const exported = domain.export(memoryOf(1), { ops });
  const { reservation } = exported;
  if (where !== "another thread") return { exported, use: exported };
  return { exported, use: joinDomain(t, domain, "user").import(exported.handle()) };
}
