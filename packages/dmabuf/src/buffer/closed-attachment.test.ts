/**
 * What an exporter is doing for an importer runs to its end, also if the buffer is closed or the importer detaches
 * before that.
 */
import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, isPending, joinDomain, until } from "../../test/agents.js";
import type { Domain } from "../threads.js";
import { isPinned } from "./storage-slot.js";
import type { Attachment } from "./buffer.js";
import type { DmaBuf } from "./buffer.js";
import { holderOf } from "./buffer.js";

const TIMEOUT = { timeout: 20_000 };

interface Scene {
  readonly domain: Domain;
  readonly buffer: DmaBuf;
  readonly attachment: Attachment;
  /** What the exporter has done, in order. */
  readonly done: string[];
  readonly answer: () => void;
}

/** An importer of an exporter that answers when it is told to, in a domain of one buffer. */
async function scene(t: TestContext, where: "its exporter's thread" | "another thread"): Promise<Scene> {
  const domain = createDomain(t, { buffers: 1 });
  let answer!: () => void;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const done: string[] = [];
  const later = async (name: string): Promise<void> => {
    done.push(`${name} begins`);
    await answered;
    done.push(`${name} ends`);
  };
  const segment = { memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 };
  const exported = domain.export([segment], {
    ops: {
      map: async () => {
        await later("map");
        return [segment];
      },
      unmap: () => void done.push("unmap"),
      pin: () => later("pin"),
      unpin: () => void done.push("unpin"),
      detach: () => void done.push("detach"),
      release: () => void done.push("release"),
    },
  });
  let buffer = exported;
  if (where === "another thread") {
    buffer = joinDomain(t, domain, "importer").import(exported.handle());
    exported.close();
  }
  return { domain, buffer, attachment: await buffer.attach({ moveNotify: () => {} }), done, answer };
}

/** What an exporter is asked for, and what it does then. */
const CALLS: Record<string, [ask: (scene: Scene) => Promise<unknown>, operation: string]> = {
  "map()": [({ attachment }) => attachment.map(), "map"],
  "mapLockedAsync()": [
    async ({ attachment }) => {
      await attachment.reservation.lock();
      return attachment.mapLocked();
    },
    "map",
  ],
  "pinAsync()": [
    async ({ attachment }) => {
      await attachment.reservation.lock();
      await attachment.pin();
    },
    "pin",
  ],
};

for (const where of ["its exporter's thread", "another thread"] as const) {
  for (const [name, [ask, operation]] of Object.entries(CALLS)) {
    describe(`${name} in ${where}`, () => {
      test(
        "keeps the buffer and its lock until the exporter has answered, when the holder is closed",
        TIMEOUT,
        async (t) => {
          const made = await scene(t, where);
          const { domain, buffer, done, answer } = made;
          const asking = ask(made);
          asking.catch(() => {});
          await until(() => done.length === 1);
          buffer.close();
          assert.throws(() => domain.allocate(4096), { code: "ENOSPC" });
          await isPending(new Promise(() => {}));
          assert.deepEqual(done, [`${operation} begins`]);
          answer();
          await assert.rejects(asking, { code: "EBADF" });
          await until(() => done.includes("release"));
          assert.deepEqual(done, [`${operation} begins`, `${operation} ends`, `un${operation}`, "detach", "release"]);
          const next = domain.allocate(4096);
          assert.equal(next.reservation.isLocked, false);
          assert.equal(next.reservation.testSignaled("bookkeep"), true);
        },
      );
    });
  }

  test(`an importer in ${where} that detaches while it maps is detached when that has ended`, TIMEOUT, async (t) => {
    const { buffer, attachment, done, answer } = await scene(t, where);
    const mapping = attachment.map();
    mapping.catch(() => {});
    await until(() => done.length === 1);
    attachment[Symbol.dispose]();
    await isPending(new Promise(() => {}));
    assert.deepEqual(done, ["map begins"]);
    answer();
    await assert.rejects(mapping, { code: "EINVAL" });
    await until(() => done.includes("detach"));
    assert.deepEqual(done, ["map begins", "map ends", "unmap", "detach"]);
    using _lock = await buffer.reservation.lock();
  });
}

test(
  "what is kept over the leaving of the domain gives nothing back to the agent that has the slots then",
  TIMEOUT,
  async (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const first = domain.allocate(4096);
    const other = joinDomain(t, domain, "other");
    const buffer = other.import(first.handle());
    const attachment = buffer.attachSync();
    const map = buffer.mmap();
    const access = await buffer.access("read");
    const lock = await buffer.reservation.lock();
    const handle = buffer.handle();
    other.close();
    first.close();
    const second = domain.allocate(4096);
    const newcomer = joinDomain(t, domain, "newcomer").import(second.handle());
    using _access = await newcomer.access("read");
    using _attachment = newcomer.attachSync();
    for (const end of [attachment, map, access, lock, handle]) end[Symbol.dispose]();
    const [now] = domain.statistics();
    assert.deepEqual(now?.holders.toSorted(), ["main", "newcomer"].toSorted());
    assert.deepEqual([now?.readers, now?.attachments], [["newcomer"], 1]);
    assert.equal(second.reservation.isLocked, false);
  },
);

test(
  "what an exporter ends after its importer has left the domain changes nothing in the same slots",
  TIMEOUT,
  async (t) => {
    const domain = createDomain(t);
    let answer!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    let begun = false;
    const segment = { memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 };
    const map = async () => {
      begun = true;
      await answered;
      return [segment];
    };
    const exported = domain.export([segment], { ops: { map, unmap: () => {}, release: () => {} } });
    const other = joinDomain(t, domain, "other");
    const mapping = other.import(exported.handle()).attachSync().map();
    mapping.catch(() => {});
    await until(() => begun);
    const { slot } = holderOf(exported).record.key;
    assert.equal(isPinned(agentOf(domain), slot), true);
    other.close();
    await assert.rejects(mapping);
    const newcomer = joinDomain(t, domain, "newcomer").import(exported.handle());
    using _attachment = newcomer.attachSync();
    answer();
    await isPending(new Promise(() => {}));
    assert.equal(domain.statistics()[0]?.attachments, 1);
    assert.equal(isPinned(agentOf(domain), slot), false);
    using _lock = await newcomer.reservation.lock();
  },
);
