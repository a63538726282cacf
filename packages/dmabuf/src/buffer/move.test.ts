import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal, until } from "../../test/agents.js";
import type { Fence } from "../fence/fence.js";
import { copiedBytes } from "./copies.js";
import type { DmaBuf } from "./buffer.js";
import type { NewStorage } from "./move.js";
import { PAGE_SIZE, type StorageSegment } from "./storage.js";

const LIMIT = { timeout: 20_000 };
/**
 * In a browser a thread that blocks gets no message, and is not told that another agent of the same thread has left.
 */
const IN_NODE = { ...LIMIT, skip: "process" in globalThis ? false : "only Node.js can do this" };

const pages = (count = 1): StorageSegment => {
  const length = count * PAGE_SIZE;
  return { memory: new SharedArrayBuffer(length), offset: 0, length };
};

/** A buffer of one page in its exporter's agent, and in another one. */
function moved(t: TestContext) {
  const owner = createDomain(t);
  const user = joinDomain(t, owner, "user");
  const exported = owner.export([pages()]);
  return { owner, user, exported, buffer: user.import(exported.handle()) };
}

async function write(buffer: DmaBuf, value: number): Promise<void> {
  using access = await buffer.access("write");
  for (const bytes of access.segments) bytes.fill(value);
}

async function read(buffer: DmaBuf): Promise<number> {
  using access = await buffer.access("read");
  return access.segments[0]![0]!;
}

async function isMovable(buffer: DmaBuf): Promise<boolean> {
  return buffer.move([pages()]).then(
    () => true,
    (error: { code?: string }) => {
      assert.equal(error.code, "EBUSY");
      return false;
    },
  );
}

describe("moving a buffer", () => {
  test("takes the bytes along, counted, and every agent then uses the new memory", LIMIT, async (t) => {
    const { exported, buffer } = moved(t);
    await write(buffer, 7);
    const [before, old, target] = [copiedBytes(), exported.segments[0]!, pages()];
    await exported.move([target]);
    assert.equal(copiedBytes() - before, PAGE_SIZE);
    new Uint8Array(old.memory).fill(255);
    assert.equal(await read(buffer), 7);
    await write(buffer, 8);
    assert.equal(new Uint8Array(target.memory)[0], 8);
    assert.equal(await read(exported), 8);
    assert.equal(exported.size, PAGE_SIZE);
  });

  test("two hundred times leaves every agent at the last memory", LIMIT, async (t) => {
    const { owner, exported, buffer } = moved(t);
    await write(exported, 3);
    const other = joinDomain(t, owner).import(exported.handle());
    for (let i = 0; i < 200; i++) await exported.move([pages()]);
    for (const each of [exported, buffer, other]) assert.equal(await read(each), 3);
    await write(other, 4);
    for (const each of [exported, buffer, other]) assert.equal(await read(each), 4);
  });

  // storage-messages.1
  test("reaches agents that were invited by others, and those that import a handle made before", LIMIT, async (t) => {
    const { owner, user, exported } = moved(t);
    const far = joinDomain(t, joinDomain(t, user, "middle"), "far");
    const early = exported.handle();
    await write(exported, 5);
    await exported.move([pages()]);
    assert.equal(await read(far.import(early)), 5);
    assert.equal(await read(joinDomain(t, owner).import(exported.handle())), 5);
  });

  test("may spread it over several segments, and gather it again", LIMIT, async (t) => {
    const owner = createDomain(t);
    const exported = owner.export([pages(2)]);
    const buffer = joinDomain(t, owner).import(exported.handle());
    await write(buffer, 9);
    const shared = pages(4);
    const halves = [2, 1].map((page) => ({ ...shared, offset: page * PAGE_SIZE, length: PAGE_SIZE }));
    await exported.move(halves);
    {
      using access = await buffer.access("read");
      assert.throws(() => access.bytes, { code: "EOPNOTSUPP" });
      assert.deepEqual(
        access.segments.map(({ length, byteOffset }) => [length, byteOffset]),
        [
          [PAGE_SIZE, 2 * PAGE_SIZE],
          [PAGE_SIZE, PAGE_SIZE],
        ],
      );
      assert.ok(access.segments.every((bytes) => bytes.every((byte) => byte === 9)));
    }
    await exported.move([pages(2)]);
    using access = await buffer.access("read");
    assert.ok(access.bytes.every((byte) => byte === 9));
  });

  test("waits for accesses in all agents, and keeps new ones out", LIMIT, async (t) => {
    const { exported, buffer } = moved(t);
    const access = await buffer.access("read");
    const moving = exported.move([pages()]);
    assert.equal(await isPending(moving), true);
    assert.equal(exported.tryAccess("read"), undefined);
    access[Symbol.dispose]();
    await moving;
  });

  test("waits for fences of every usage (move.3)", LIMIT, async (t) => {
    for (const usage of ["read", "bookkeep"] as const) {
      const { user, exported, buffer } = moved(t);
      const fence = user.createTimeline().createFence();
      addFence(buffer, fence, usage);
      const moving = exported.move([pages()]);
      assert.equal(await isPending(moving), true);
      fence.signal();
      await moving;
    }
  });

  test("by an asynchronous copy holds all users up by a fence until the bytes are there", LIMIT, async (t) => {
    const { owner, exported, buffer } = moved(t);
    await write(buffer, 1);
    const target = pages();
    const copied = owner.createTimeline({ name: "copier" }).createFence();
    await exported.move(() => ({ segments: [target], copied }));
    assert.equal(buffer.reservation.testSignaled("kernel"), false);
    const reading = read(buffer);
    assert.equal(await isPending(reading), true);
    new Uint8Array(target.memory).fill(2);
    copied.signal();
    assert.equal(await reading, 2);
  });

  test("leaves the storage where it was when it comes to nothing (move.4)", LIMIT, async (t) => {
    const { user, exported, buffer } = moved(t);
    const old = exported.segments[0]!;
    const fence = user.createTimeline().createFence();
    await assert.rejects(buffer.move([pages()]), { code: "EPERM" });
    await assert.rejects(exported.move([pages(2)]), { code: "EINVAL" });
    await assert.rejects(
      exported.move(() => ({ segments: [pages(2)] })),
      { code: "EINVAL" },
    );
    const refuse = (): NewStorage => {
      throw new RangeError("No room there");
    };
    await assert.rejects(exported.move(refuse), RangeError);
    addFence(buffer, fence, "bookkeep");
    await assert.rejects(exported.move([pages()], { timeout: 5 }), { code: "ETIMEDOUT" });
    const access = await buffer.access("read");
    await assert.rejects(exported.move([pages()], { timeout: 5 }), { code: "ETIMEDOUT" });
    access[Symbol.dispose]();
    {
      using _lock = await exported.reservation.lock();
      await assert.rejects(exported.move([pages()]), { code: "EDEADLK" });
    }
    assert.equal(exported.segments[0]!.memory, old.memory);
    fence.signal();
    assert.equal(exported.reservation.isLocked, false);
    (await buffer.access("write"))[Symbol.dispose]();
    assert.equal(await isMovable(exported), true);
  });

  test("is refused while a mapping, a pin or a map of pages keeps the storage, in any agent", LIMIT, async (t) => {
    const { exported, buffer } = moved(t);
    for (const holder of [exported, buffer]) {
      using attachment = holder.attachSync();
      const mapping = await attachment.map();
      assert.equal(await isMovable(exported), false);
      mapping[Symbol.dispose]();
      assert.equal(await isMovable(exported), true);
      using follower = holder.attachSync({ moveNotify() {} });
      {
        using _lock = await holder.reservation.lock();
        follower.pinSync();
      }
      assert.equal(await isMovable(exported), false);
      follower[Symbol.dispose]();
      assert.equal(await isMovable(exported), true);
    }
  });

  test("is refused while pages are mapped, and a map of pages while it moves", LIMIT, async (t) => {
    const owner = createDomain(t);
    let place = [pages()];
    const exported = owner.export(place, {
      ops: {
        map: () => place,
        unmap() {},
        release() {},
        mmap() {},
        vmap: () => new Uint8Array(place[0]!.memory),
        vunmap() {},
      },
    });
    const map = exported.mmap();
    assert.equal(await isMovable(exported), false);
    map[Symbol.dispose]();
    {
      using _lock = await exported.reservation.lock();
      exported.vmap();
    }
    assert.equal(await isMovable(exported), false);
    {
      using _lock = await exported.reservation.lock();
      exported.vunmap();
    }
    await exported.move(() => {
      assert.throws(() => exported.mmap(), { code: "EAGAIN" });
      return { segments: (place = [pages()]) };
    });
    using later = exported.mmap();
    assert.equal(later.bytes.buffer, place[0]!.memory);
  });

  test("does not keep its old memory from handles that are made later", LIMIT, async (t) => {
    const { owner, exported, buffer } = moved(t);
    const target = pages();
    await exported.move([target]);
    using handle = exported.handle();
    assert.equal(handle.segments[0]!.memory, target.memory);
    await read(buffer);
    using theirs = buffer.handle();
    for (const { memory } of [theirs.segments[0]!, joinDomain(t, owner).import(handle).segments[0]!]) {
      assert.equal(isSameMemory(memory, target.memory), true);
    }
  });

  test("is EAGAIN for who asks where the bytes are before that is known", LIMIT, async (t) => {
    const { exported, buffer } = moved(t);
    const target = pages();
    await exported.move([target]);
    assert.throws(() => buffer.segments, { code: "EAGAIN" });
    assert.equal(buffer.tryAccess("read"), undefined);
    await buffer.beginCpuAccess("read");
    assert.equal(isSameMemory(buffer.segments[0]!.memory, target.memory), true);
    buffer.endCpuAccess("read");
  });

  test("is heard of by who blocks for an access (storage-messages.3, agent.5)", IN_NODE, async (t) => {
    const { owner, exported } = moved(t);
    const buffer = joinDomain(t, owner).import(exported.handle());
    await write(exported, 6);
    await exported.move([pages()]);
    using access = buffer.accessSync("read");
    assert.equal(access.bytes[0], 6);
  });
});

describe("dynamic importers", () => {
  test("are told in all agents with the lock, and what they still do is waited for", LIMIT, async (t) => {
    const { owner, user, exported, buffer } = moved(t);
    const told: string[] = [];
    const works = user.createTimeline().createFence();
    using mine = exported.attachSync({ moveNotify: () => void told.push(`owner ${exported.reservation.isHeldHere}`) });
    using theirs = buffer.attachSync({
      moveNotify: ({ reservation }) => {
        told.push(`user ${reservation.isHeldHere} ${exported.reservation.isHeldHere}`);
        reservation.reserveFences(1);
        reservation.addFence(works, "bookkeep");
      },
    });
    const mapping = await theirs.map();
    let relocated = false;
    const moving = exported.move(() => {
      relocated = true;
      return { segments: [pages()] };
    });
    await until(() => told.length === 2);
    assert.deepEqual(told, ["owner true", "user true false"]);
    assert.equal(await isPending(moving), true);
    assert.equal(relocated, false);
    works.signal();
    await moving;
    const again = await theirs.map();
    const now = exported.segments[0]!.memory;
    assert.equal(isSameMemory(mapping.segments[0]!.memory, now), false);
    assert.equal(isSameMemory(again.segments[0]!.memory, now), true);
    assert.equal(owner.statistics()[0]!.attachments, 2);
    void mine;
  });

  test("that fail are reported, and the storage moves", LIMIT, async (t) => {
    const { user, exported, buffer } = moved(t);
    const warnings: string[] = [];
    const [host, before] = [agentOf(user).host, { ...agentOf(user).host }];
    Object.assign(host, { warn: (message: string) => void warnings.push(message) });
    t.after(() => Object.assign(host, before));
    using attachment = buffer.attachSync({
      moveNotify() {
        throw new RangeError("The display is gone");
      },
    });
    void attachment;
    await exported.move([pages()]);
    assert.match(warnings.join(), /The display is gone/);
  });

  test("that do not answer hold the move up until its time has passed, and may be told again", LIMIT, async (t) => {
    const { user, exported, buffer } = moved(t);
    let told = 0;
    using _attachment = buffer.attachSync({ moveNotify: () => void told++ });
    agentOf(user).close();
    await assert.rejects(exported.move([pages()], { timeout: 5 }), { code: "ETIMEDOUT" });
    assert.equal(exported.reservation.isLocked, false);
    assert.equal(told, 0);
  });
});

describe("the end of an agent", () => {
  test("that moves a buffer leaves the storage as it was, and all locks open", DIES, async (t) => {
    const user = createDomain(t);
    const { domain: owner, die } = joinMortal(user, "owner");
    const exported = owner.export([pages()]);
    await write(exported, 4);
    const buffer = user.import(exported.handle());
    let begun = (): void => {};
    const relocating = new Promise<void>((resolve) => (begun = resolve));
    void exported.move(() => {
      begun();
      return new Promise<NewStorage>(() => {});
    });
    await relocating;
    const reading = read(buffer);
    assert.equal(await isPending(reading), true);
    await die();
    assert.equal(await reading, 4);
    assert.equal(buffer.reservation.isLocked, false);
  });

  test("that had pinned the storage lets it move", DIES, async (t) => {
    const owner = createDomain(t);
    const { domain: user, die } = joinMortal(owner, "user");
    const exported = owner.export([pages()]);
    const attachment = user.import(exported.handle()).attachSync();
    await attachment.map();
    assert.equal(await isMovable(exported), false);
    await die();
    assert.equal(await isMovable(exported), true);
  });

  test("that has moved a buffer, and holds it no longer, does not take the storage along", LIMIT, async (t) => {
    const { owner, user } = moved(t);
    const exported = owner.export([pages()]);
    const early = exported.handle();
    await write(exported, 5);
    await exported.move([pages()]);
    exported.close();
    const buffer = user.import(early);
    assert.equal(await read(buffer), 5);
    assert.equal(await read(owner.import(buffer.handle())), 5);
  });

  // storage-messages.2
  test("through which alone the others can be reached is ESRCH for who needs the moved storage", IN_NODE, async (t) => {
    const owner = createDomain(t);
    const middle = joinDomain(t, owner, "middle");
    const far = joinDomain(t, middle, "far");
    const exported = owner.export([pages()]);
    const buffer = far.import(exported.handle());
    assert.equal(await read(buffer), 0);
    middle.close();
    await until(() => owner.agents.length === 2);
    await exported.move([pages()]);
    await assert.rejects(read(buffer), { code: "ESRCH" });
    assert.equal(buffer.tryAccess("read"), undefined);
    far.import(exported.handle());
    assert.equal(await read(buffer), 0);
  });
});

/** Two arrays may be for one memory object, once it has crossed a message. */
function isSameMemory(one: ArrayBufferLike, other: ArrayBufferLike): boolean {
  const [a, b] = [new Uint8Array(one), new Uint8Array(other)];
  const before = a[0]!;
  a[0] = before + 1;
  const isSame = b[0] === a[0];
  a[0] = before;
  return isSame;
}

function addFence(buffer: DmaBuf, fence: Fence, usage: "read" | "bookkeep"): void {
  const lock = buffer.reservation.tryLock()!;
  buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, usage);
  lock[Symbol.dispose]();
}
