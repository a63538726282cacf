/** Area H of the conformance cases, with those who share a buffer in different places. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SIZE, type DmaBuf, type JoinedDomain } from "../../../src/index.js";
import { addFence } from "../buffers.js";
import type { Party, Place } from "./party.js";
import { begin } from "./waiting.js";

const PATIENT = { timeout: 30_000 };

interface Shared {
  readonly domain: JoinedDomain;
  readonly buffer: DmaBuf;
  /** Has the buffer as "b". */
  readonly other: Party;
}

export function bufferCases(place: Place): void {
  /** Registers a fact about a buffer that this agent and another hold. */
  function fact(name: string, body: (shared: Shared) => Promise<void>): void {
    test(`${name} (two agents)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 1);
      const [buffer, other] = [domain.allocate(PAGE_SIZE), parties[0]!];
      await other.ask("openBuffer", "b", buffer.handle());
      await body({ domain, buffer, other });
    });
  }

  fact("DBF-08 another agent's mapping outlives all holders, and frees the buffer at its end", async (shared) => {
    const { domain, buffer, other } = shared;
    await other.ask("fill", "b", 0x5a);
    await other.ask("mmap", "b");
    await other.ask("closeBuffer", "b");
    buffer.close();
    assert.deepEqual(await other.ask("mapped", "b"), [0x5a]);
    assert.equal(domain.statistics().length, 1);
    await other.ask("munmap", "b");
    assert.equal(domain.statistics().length, 0);
  });

  fact("DBF-10 what another agent writes into the buffer is seen here", async ({ buffer, other }) => {
    await other.ask("fill", "b", 0xa5);
    using access = await buffer.access("read");
    assert.deepEqual([...new Set(access.bytes)], [0xa5]);
  });

  fact("DBF-11 another agent's import works after the original is closed", async ({ buffer, other }) => {
    {
      using access = buffer.accessSync("write");
      access.bytes.fill(3);
    }
    buffer.close();
    await other.ask("mmap", "b");
    assert.deepEqual(await other.ask("mapped", "b"), [3]);
  });

  fact("DBF-14 a name that one agent gives is the name for all", async ({ buffer, other }) => {
    await other.ask("rename", "b", "frame");
    assert.equal(buffer.name, "frame");
  });

  for (const begins of ["beginAccess", "beginAccessSync"] as const) {
    fact(`DBF-17 ${begins}: reading begins only when the pending writer has signaled`, async (shared) => {
      const { domain, buffer, other } = shared;
      const fence = addFence(domain, buffer, "write");
      const waiting = await begin(other.start(begins, "b", "read"));
      assert.equal(await waiting.isSettled(), false);
      fence.signal();
      await waiting.done;
    });

    fact(`DBF-18 ${begins}: beside a reader, reading begins at once and writing waits`, async (shared) => {
      const { domain, buffer, other } = shared;
      const fence = addFence(domain, buffer, "read");
      await other.ask(begins, "b", "read", 0);
      await assert.rejects(other.ask(begins, "b", "write", 0), { code: "ETIMEDOUT" });
      const waiting = await begin(other.start(begins, "b", "write"));
      assert.equal(await waiting.isSettled(), false);
      fence.signal();
      await waiting.done;
    });

    fact(`DBF-19 ${begins}: a pending bookkeeping fence holds up no writer`, async ({ domain, buffer, other }) => {
      addFence(domain, buffer, "bookkeep");
      await other.ask(begins, "b", "write", 0);
    });
  }

  fact("DBF-25 a static importer is mapped only when the kernel's fence has signaled", async (shared) => {
    const { domain, buffer, other } = shared;
    const move = addFence(domain, buffer, "kernel");
    const waiting = await begin(other.start("mapFor", "b", "static"));
    assert.equal(await waiting.isSettled(), false);
    move.signal();
    await waiting.done;
  });

  fact("DBF-26 a pending writer holds up no mapping of a static importer", async ({ domain, buffer, other }) => {
    addFence(domain, buffer, "write");
    await other.ask("mapFor", "b", "static", 0);
  });

  fact("DBF-27 a dynamic importer is mapped although the kernel's fence is pending", async (shared) => {
    const { domain, buffer, other } = shared;
    addFence(domain, buffer, "kernel");
    await other.ask("mapFor", "b", "dynamic", 0);
  });

  fact("DBF-32 a buffer counts its holders in all agents", async ({ buffer, other }) => {
    const count = async (): Promise<string[]> => [buffer.describe(), await other.ask("describeBuffer", "b")];
    for (const text of await count()) assert.match(text, /^count:\t2$/m);
    using _duplicate = buffer.duplicate();
    assert.match(buffer.describe(), /^count:\t3$/m);
    await other.ask("closeBuffer", "b");
    assert.match(buffer.describe(), /^count:\t2$/m);
  });

  fact("DBF-33 the list of buffers has another agent's fences and devices", async ({ domain, other }) => {
    await other.ask("addFences", "b", "timeline", ["write"]);
    await other.ask("attach", "b", "camera");
    assert.match(domain.bufferInfo(), /^\twrite fence:.* unsignalled$/m);
    const [statistics] = domain.statistics();
    assert.deepEqual([statistics!.attachments, statistics!.pendingFences], [1, 1]);
  });
}
