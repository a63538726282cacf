/** Area G of the conformance cases, with those who lock in different places. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { countedRounds } from "./scene.js";
import { begin, pause } from "./waiting.js";
import type { Party, Place } from "./party.js";

const PATIENT = { timeout: 30_000 };
const STRESS = { timeout: 90_000 };

/** How a agent waits for a lock. */
type Lock = "lock" | "lockSync";

export function lockingCases(place: Place): void {
  /** Registers a fact about two agents with a context each, "old" and "young", and the buffers "a", "b" and "c". */
  function fact(name: string, body: (old: Party, young: Party, lock: Lock) => Promise<void>): void {
    for (const lock of ["lock", "lockSync"] as const) {
      test(`${name} (${lock})`, PATIENT, async (t) => {
        const { domain, parties } = await place.meet(t, 2);
        const [old, young] = [parties[0]!, parties[1]!];
        for (const name of ["a", "b", "c"]) {
          const buffer = domain.allocate(4096);
          for (const party of parties) await party.ask("openBuffer", name, buffer.handle());
        }
        const tickets = [await old.ask("begin", "old"), await young.ask("begin", "young")];
        assert.ok(tickets[0]! < tickets[1]!);
        await body(old, young, lock);
      });
    }
  }

  fact("WW-02 a context that holds nothing waits for a lock that was taken without one", async (old, young, lock) => {
    await old.ask(lock, "a");
    const waiting = await begin(young.start(lock, "a", "young"));
    assert.equal(await waiting.isSettled(), false);
    await old.ask("unlock", "a");
    await waiting.done;
    assert.equal((await young.ask("acquired", "young")).acquired, 1);
  });

  fact("WW-03 a younger context that holds a lock gives way to an older one", async (old, young, lock) => {
    await old.ask(lock, "a", "old");
    await young.ask(lock, "b", "young");
    await assert.rejects(young.ask(lock, "a", "young"), { code: "EDEADLK" });
    assert.equal((await young.ask("acquired", "young")).acquired, 1);
  });

  fact("WW-04 an older context waits for a younger one, and gets the lock after it", async (old, young, lock) => {
    await young.ask(lock, "a", "young");
    await old.ask(lock, "b", "old");
    const waiting = await begin(old.start(lock, "a", "old"));
    assert.equal(await waiting.isSettled(), false);
    await young.ask("unlock", "a");
    await waiting.done;
    assert.equal((await old.ask("acquired", "old")).acquired, 2);
  });

  fact("WW-05 who has given way waits with nothing held, and keeps its age", async (old, young, lock) => {
    await old.ask(lock, "a", "old");
    await young.ask(lock, "b", "young");
    const { ticket } = await young.ask("acquired", "young");
    await assert.rejects(young.ask(lock, "a", "young"), { code: "EDEADLK" });
    await young.ask("backOff", "young");
    assert.equal(await old.ask("isLocked", "b"), false);
    const waiting = await begin(young.start(lock, "a", "young"));
    assert.equal(await waiting.isSettled(), false);
    await old.ask("unlock", "a");
    await waiting.done;
    await young.ask(lock, "b", "young");
    assert.deepEqual(await young.ask("acquired", "young"), { acquired: 2, ticket });
  });

  fact("WW-10 who must give way takes no other lock before the contended one", async (old, young, lock) => {
    await old.ask(lock, "a", "old");
    await young.ask(lock, "b", "young");
    await assert.rejects(young.ask(lock, "a", "young"), { code: "EDEADLK" });
    await assert.rejects(young.ask(lock, "c", "young"), { code: "EINVAL", message: /must unlock all/ });
    await young.ask("backOff", "young");
    await assert.rejects(young.ask(lock, "c", "young"), { code: "EINVAL", message: /must unlock all/ });
    assert.equal(await old.ask("isLocked", "c"), false);
    await old.ask("unlock", "a");
    for (const name of ["a", "c", "b"]) await young.ask(lock, name, "young");
    assert.equal((await young.ask("acquired", "young")).acquired, 3);
  });

  fact(
    "WW-11 who must give way takes the contended lock with nothing held, though it is open",
    async (old, young, lock) => {
      await old.ask(lock, "a", "old");
      await young.ask(lock, "b", "young");
      await assert.rejects(young.ask(lock, "a", "young"), { code: "EDEADLK" });
      await old.ask("unlock", "a");
      await assert.rejects(young.ask(lock, "a", "young"), { code: "EDEADLK" });
      assert.deepEqual([await old.ask("isLocked", "a"), await old.ask("isLocked", "b")], [false, true]);
      await young.ask("backOff", "young");
      await young.ask(lock, "a", "young");
      assert.equal((await young.ask("acquired", "young")).acquired, 1);
    },
  );

  fact("WW-06 a younger context that holds nothing waits for an older one", async (old, young, lock) => {
    await old.ask(lock, "a", "old");
    const waiting = await begin(young.start(lock, "a", "young"));
    assert.equal(await waiting.isSettled(), false);
    await old.ask("unlock", "a");
    await waiting.done;
    assert.equal((await young.ask("acquired", "young")).acquired, 1);
  });

  fact("WW-08 a lock that one agent holds is locked for all, and cannot be tried", async (old, young, lock) => {
    await old.ask(lock, "a", "old");
    assert.deepEqual([await young.ask("isLocked", "a"), await young.ask("tryLock", "a")], [true, false]);
    await old.ask("unlock", "a");
    assert.deepEqual([await young.ask("isLocked", "a"), await young.ask("tryLock", "a")], [false, true]);
    await young.ask("unlock", "a");
  });

  fact(
    "WW-07 a wait for a lock that is aborted rejects with the reason, and takes nothing",
    async (old, young, lock) => {
      await old.ask(lock, "a", "old");
      const { begun, done } = young.start("lockUntilAborted", "a", "young");
      await begun;
      await young.ask("abort", "young", "no longer wanted");
      await assert.rejects(done, /no longer wanted/);
      await old.ask("unlock", "a");
      await pause();
      assert.equal(await young.ask("isLocked", "a"), false);
      assert.equal((await young.ask("acquired", "young")).acquired, 0);
    },
  );

  fact("WW-12 who waits for a lock and closes the buffer never gets it", async (old, young, lock) => {
    await old.ask(lock, "a");
    const waiting = await begin(young.start("lock", "a"));
    assert.equal(await waiting.isSettled(), false);
    await young.ask("closeBuffer", "a");
    await assert.rejects(waiting.done, { code: "EBADF" });
    await old.ask("unlock", "a");
    await pause();
    assert.equal(await old.ask("isLocked", "a"), false);
  });

  fact(
    "WW-13 an agent that closes the buffer with the lock held opens it for those that wait",
    async (old, young, lock) => {
      await old.ask(lock, "a");
      const waiting = await begin(young.start(lock, "a", "young"));
      assert.equal(await waiting.isSettled(), false);
      await old.ask("closeBuffer", "a");
      await waiting.done;
      assert.equal((await young.ask("acquired", "young")).acquired, 1);
    },
  );

  // A lock that lets two in would not show where each takes all the others too: hence the pairs.
  for (const [some, size, of] of [
    ["the same 16 buffers", 16, 16],
    ["two of six buffers", 2, 6],
  ] as const) {
    test(`WW-09 agents that lock ${some} in random order all finish, one at a time`, STRESS, async (t) => {
      const { domain, parties } = await place.meet(t, 4);
      const rounds = 1000;
      const buffers = Array.from({ length: of }, () => domain.allocate(4096));
      for (const party of parties) {
        for (const [i, buffer] of buffers.entries()) await party.ask("openBuffer", `b${i}`, buffer.handle());
      }
      // Half of them block their threads, half return to their event loops.
      const tasks = parties.map((party, i) => party.ask("lockOften", rounds, size, i % 2 === 0));
      assert.deepEqual(await Promise.all(tasks), [0, 0, 0, 0]);
      const total = buffers.map(countedRounds).reduce((sum, count) => sum + count);
      assert.equal(total, parties.length * rounds * size);
    });
  }
}
