import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, joinDomain, joinMortal, pause, until } from "../../test/agents.js";
import type { BufferHandleData } from "./handle.js";

describe("a handle", () => {
  test("that is cloned as a message would be, gives the same buffer and bytes to another agent", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(5000, { name: "shared" });
    const theirs = joinDomain(t, domain).import(structuredClone(buffer.handle()));
    assert.deepEqual([theirs.name, theirs.size, theirs.inode], ["shared", 8192, buffer.inode]);
    buffer.tryAccess("write")!.bytes[8191] = 9;
    buffer.close();
    assert.equal(theirs.tryAccess("read")!.bytes[8191], 9);
  });

  test("holds the buffer until its first import, also when the sender has closed it", (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    buffer.close();
    assert.deepEqual(domain.statistics()[0]?.holders, []);
    const theirs = worker.import(handle);
    assert.deepEqual(domain.statistics()[0]?.holders, ["worker"]);
    theirs.close();
    assert.deepEqual(domain.statistics(), []);
  });

  test("can be imported any number of times; the buffer lives until the last holder closes", (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    const holders = [worker.import(handle), domain.import(handle), worker.import(handle), domain.import(handle)];
    buffer.close();
    for (const holder of holders) {
      assert.equal(domain.statistics().length, 1);
      holder.close();
    }
    assert.deepEqual(domain.statistics(), []);
  });

  test("sent to two agents frees nothing before both have closed", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    const [one, other] = [joinDomain(t, domain, "one"), joinDomain(t, domain, "other")];
    const first = one.import(structuredClone(handle));
    const second = other.import(structuredClone(handle));
    buffer.close();
    first.close();
    assert.deepEqual(domain.statistics()[0]?.holders, ["other"]);
    second.close();
    assert.deepEqual(domain.statistics(), []);
  });

  test("that no agent imports releases the buffer after the limit", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t, { handleLimit: 30 });
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    buffer.close();
    assert.equal(domain.statistics().length, 1);
    await until(() => domain.statistics().length === 0);
    assert.throws(() => domain.import(handle), { code: "ESTALE" });
  });

  test("can be imported after the limit while any agent holds the buffer", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t, { handleLimit: 1, agents: 2 });
    const buffer = domain.allocate(1);
    const handles = [buffer.handle(), buffer.handle()];
    await pause(20);
    // Both places of handles in flight are free again.
    for (let i = 0; i < 2; i++) buffer.handle();
    const theirs = joinDomain(t, domain).import(handles[0]!);
    buffer.close();
    await pause(20);
    assert.equal(theirs.isClosed, false);
    assert.deepEqual(domain.statistics()[0]?.holders, ["worker"]);
  });

  test("that the sender disposes lets the buffer go, and once only", (t) => {
    const domain = createDomain(t, { agents: 2 });
    const buffer = domain.allocate(1);
    const first = buffer.handle();
    first[Symbol.dispose]();
    const second = buffer.handle();
    // The second handle is where the first one was.
    assert.equal(second.inflight.index, first.inflight.index);
    first[Symbol.dispose]();
    buffer.close();
    assert.equal(domain.statistics().length, 1);
    second[Symbol.dispose]();
    assert.deepEqual(domain.statistics(), []);
  });

  test("disposed after its import changes nothing", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    const theirs = joinDomain(t, domain).import(handle);
    handle[Symbol.dispose]();
    buffer.close();
    assert.deepEqual(domain.statistics()[0]?.holders, ["worker"]);
    assert.equal(theirs.size, 4096);
  });

  test("of an agent that dies or leaves before the import lets the buffer go", DIES, async (t) => {
    const domain = createDomain(t);
    const { domain: mortal, die } = joinMortal(domain);
    const handle = mortal.allocate(1).handle();
    await die();
    assert.throws(() => domain.import(handle), { code: "ESTALE" });
    const worker = joinDomain(t, domain);
    const other = worker.allocate(1).handle();
    worker.close();
    assert.throws(() => domain.import(other), { code: "ESTALE" });
    assert.deepEqual(domain.statistics(), []);
  });

  test("that is late never ends one of the agent that took its sender's place", DIES, async (t) => {
    const domain = createDomain(t, { agents: 2 });
    const buffer = domain.allocate(1);
    const { domain: mortal, die } = joinMortal(domain);
    const overdue = mortal.import(buffer.handle()).handle();
    await die();
    const worker = joinDomain(t, domain);
    const theirs = worker.import(buffer.handle());
    const inFlight = theirs.handle();
    theirs.close();
    domain.import(overdue).close();
    buffer.close();
    assert.equal(domain.import(inFlight).size, 4096);
  });
});

describe("a handle to a freed buffer is ESTALE", () => {
  test("when its slot is empty", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    domain.import(handle).close();
    buffer.close();
    assert.throws(() => domain.import(handle), { code: "ESTALE", message: /freed before the handle was imported/ });
  });

  test("when another buffer has its slot, which is left as it is", (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const worker = joinDomain(t, domain);
    const old = domain.allocate(1);
    const handle = old.handle();
    handle[Symbol.dispose]();
    old.close();
    const buffer = domain.allocate(1, { name: "next" });
    for (const importer of [worker, domain]) assert.throws(() => importer.import(handle), { code: "ESTALE" });
    assert.deepEqual(
      domain.statistics().map(({ name, holders }) => ({ name, holders })),
      [{ name: "next", holders: ["main"] }],
    );
    buffer.close();
    assert.deepEqual(domain.statistics(), []);
  });
});

describe("import() refuses", () => {
  test("a handle of another domain, and names both", (t) => {
    const [one, other] = [createDomain(t), createDomain(t)];
    const handle = one.allocate(1).handle();
    assert.throws(() => other.import(handle), { code: "EINVAL", message: new RegExp(`${one.id}.*${other.id}`) });
  });

  test("a damaged handle, names what is damaged, and takes no reference", (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const { memory } = buffer.segments[0]!;
    const handle = { ...structuredClone(buffer.handle()) };
    const segment = (offset: number, length: number): object => ({ segments: [{ memory, offset, length }] });
    const damages: [damage: object, message: RegExp][] = [
      [{ domain: 5 }, /"domain"/],
      [{ slot: -1 }, /"slot"/],
      [{ slot: 16 }, /"slot"/],
      [{ slot: "0" }, /"slot"/],
      [{ generation: undefined }, /"generation"/],
      [{ mode: "write" }, /"mode"/],
      [{ size: 4096.5 }, /"size"/],
      [{ size: 8192 }, /"size"/],
      [{ version: 1 }, /"version"/],
      [{ segments: undefined }, /"segments"/],
      [{ segments: [undefined] }, /"segments"/],
      [{ segments: [{ offset: 0, length: 4096 }] }, /"segments"/],
      [segment(0, 8192), /Segment 0 \(0 \+ 8192 bytes\) does not lie in 4096 bytes/],
      [segment(-1, 4096), /Segment 0/],
      [segment(0.5, 4095), /Segment 0/],
      [{ inflight: undefined }, /"inflight"/],
      [{ inflight: { index: 8, ticket: 1 } }, /"inflight"/],
      [{ inflight: { index: 0, ticket: NaN } }, /"inflight"/],
    ];
    for (const [damage, message] of damages) {
      const damaged = { ...handle, ...damage };
      assert.throws(() => worker.import(damaged), { code: "EINVAL", message }, JSON.stringify(damage));
    }
    // A DmaBuf that was posted itself arrives as its plain fields.
    const posted = structuredClone({ mode: "read", size: 1 });
    for (const nothing of [undefined, null, 7, "handle", posted]) {
      const expected = { code: "EINVAL", message: /what a method handle\(\) gives/ };
      assert.throws(() => worker.import(nothing as unknown as BufferHandleData), expected);
    }
    assert.deepEqual(domain.statistics()[0]?.holders, ["main"]);
    assert.equal(worker.import(handle).size, 4096);
  });
});

describe("a read handle", () => {
  test("gives a holder that may not write, in any way", async (t) => {
    const domain = createDomain(t);
    const theirs = joinDomain(t, domain).import(domain.allocate(1).handle("read"));
    assert.equal(theirs.mode, "read");
    const refused = { code: "EACCES", message: /may only read/ };
    await assert.rejects(theirs.access("write"), refused);
    assert.throws(() => theirs.accessSync("write"), refused);
    assert.throws(() => theirs.tryAccess("write"), refused);
    assert.throws(() => theirs.handle("read-write"), refused);
    assert.throws(() => theirs.duplicate("read-write"), refused);
    await assert.rejects(theirs.attachSync().map("write"), refused);
    assert.equal(theirs.handle().mode, "read");
    assert.equal(theirs.duplicate().mode, "read");
    assert.equal(theirs.tryAccess("read")!.bytes.length, 4096);
  });

  test("takes nothing from another holder of the same agent that may write", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const reader = domain.import(buffer.handle("read"));
    buffer.tryAccess("write")![Symbol.dispose]();
    assert.throws(() => reader.tryAccess("write"), { code: "EACCES" });
  });
});
