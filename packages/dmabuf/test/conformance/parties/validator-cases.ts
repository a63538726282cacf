/** What the validator says in other agents: each mistake in the agent that makes it, and nothing where all is right. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { rawFormat, type JoinedDomain } from "../../../src/index.js";
import { pause } from "../../agents.js";
import type { Party, Place } from "./party.js";
import { begin } from "./waiting.js";

const LIMIT = { timeout: 60_000 };

interface Scene {
  readonly domain: JoinedDomain;
  /** Makes the mistake. */
  readonly wrong: Party;
  readonly right: Party;
}

async function assertReported(party: Party, code: string, about: RegExp): Promise<void> {
  const reports = await party.ask("reports");
  assert.deepEqual(
    reports.map((report) => report.code),
    [code],
  );
  assert.match(reports[0]!.message, about);
  assert.match(reports[0]!.url, new RegExp(`#${code}$`));
  assert.notEqual(reports[0]!.places, 0);
}

async function assertSilent(party: Party): Promise<void> {
  assert.deepEqual(await party.ask("reports"), []);
}

export function validatorCases(place: Place): void {
  /** Registers a fact about two agents of a validated domain that both have the buffers "a", "b" and "c". */
  function fact(name: string, body: (scene: Scene) => Promise<void>): void {
    test(name, LIMIT, async (t: TestContext) => {
      const { domain, parties } = await place.meet(t, 2, { validate: { onReport: () => {} } });
      const [wrong, right] = parties as [Party, Party];
      for (const name of ["a", "b", "c"]) {
        const buffer = domain.allocate(4096, { name });
        for (const party of parties) await party.ask("openBuffer", name, buffer.handle());
      }
      await body({ domain, wrong, right });
      await assertSilent(right);
      assert.deepEqual(domain.reports, []);
    });
  }

  for (const [id, code, about] of [
    ["FEN-30", "fence-misuse", /no order/],
    ["FEN-35", "fence-dropped", /was released while something waits/],
    ["FEN-38", "fence-misuse", /must be an errno/],
  ] as const) {
    fact(`${id} is reported as "${code}" in the agent that does it, once`, async ({ wrong }) => {
      for (let i = 0; i < 2; i++) await wrong.ask("fenceMistake", id);
      await assertReported(wrong, code, about);
    });
  }

  fact("RSV-24 a container in a reservation is reported", async ({ wrong }) => {
    await wrong.ask("addWrongly", "a", "container");
    await assertReported(wrong, "container-in-reservation", /buffer "a" takes plain fences/);
  });

  fact("RSV-14 a fence that is added without a reserved place is reported", async ({ wrong }) => {
    await wrong.ask("addWrongly", "a", "no room");
    await assertReported(wrong, "room-not-reserved", /no room was reserved/);
  });

  fact("WW-10 who must give way, and takes another lock first, is reported", async ({ wrong, right }) => {
    await right.ask("begin", "old");
    await wrong.ask("begin", "young");
    await right.ask("lock", "a", "old");
    await wrong.ask("lock", "b", "young");
    await assert.rejects(wrong.ask("lock", "a", "young"), { code: "EDEADLK" });
    await assertSilent(wrong);
    await assert.rejects(wrong.ask("lock", "c", "young"), { code: "EINVAL" });
    await assertReported(wrong, "back-off", /must unlock all, and lock that of buffer "a" first/);
  });

  fact("WW-11 who must give way, and asks for the contended lock with others held, is reported", async (scene) => {
    const { wrong, right } = scene;
    await right.ask("begin", "old");
    await wrong.ask("begin", "young");
    await right.ask("lock", "a", "old");
    await wrong.ask("lock", "b", "young");
    for (let i = 0; i < 2; i++) await assert.rejects(wrong.ask("lock", "a", "young"), { code: "EDEADLK" });
    await assertReported(wrong, "back-off", /holds others still/);
  });

  fact("WW-05 who gives way as it must is not reported", async ({ wrong, right }) => {
    await right.ask("begin", "old");
    await wrong.ask("begin", "young");
    await right.ask("lock", "a", "old");
    await wrong.ask("lock", "b", "young");
    await assert.rejects(wrong.ask("lock", "a", "young"), { code: "EDEADLK" });
    await wrong.ask("backOff", "young");
    await right.ask("backOff", "old");
    for (const name of ["a", "b", "c"]) await wrong.ask("lock", name, "young");
    await wrong.ask("backOff", "young");
    await assertSilent(wrong);
  });

  fact("a write through a read access is reported", async ({ wrong, right }) => {
    await right.ask("readAndWrite", "a", false);
    await wrong.ask("readAndWrite", "a", true);
    await assertReported(wrong, "write-through-read", /to read buffer "a" only reads, and byte 3 was written/);
  });

  // The memory of other processes refuses it: such a write ends the process.
  const frames = place.name === "workers" ? fact : (): void => {};
  frames("a write to a frame that was taken to read is reported", async ({ domain, wrong, right }) => {
    for (const party of [right, wrong]) {
      const stream = domain.createStream({ format: rawFormat(16), name: "camera" });
      const reading = party.start("readAndWriteFrame", stream.handle(), party === wrong);
      await reading.begun;
      using loan = (await stream.loan())!;
      loan.publish();
      await reading.done;
    }
    await assertReported(wrong, "write-through-read", /frame of stream "camera" only reads, and byte 3 was written/);
  });

  fact("a thread that blocks for its own fence is reported", async ({ wrong }) => {
    assert.equal(await wrong.ask("blockForOwn"), "EDEADLK");
    await assertReported(wrong, "own-fence", /only this thread can signal/);
  });

  fact("a job that goes on after its fence has signaled is reported", async ({ wrong, right }) => {
    await right.ask("runJob", "a", false);
    await wrong.ask("runJob", "a", true);
    await assertReported(wrong, "work-after-fence", /goes on after its fence has signaled/);
  });

  fact(
    "a lock that is held over turns, for another agent that waits for it, is reported in its holder",
    async (scene) => {
      const { wrong, right } = scene;
      await wrong.ask("lock", "a");
      const waiting = await begin(right.start("lock", "a"));
      while ((await wrong.ask("reports")).length === 0) await pause(10);
      await wrong.ask("unlock", "a");
      await waiting.done;
      await right.ask("unlock", "a");
      await assertReported(wrong, "lock-across-await", /lock of the reservation of buffer "a" is held over turns/);
    },
  );
}
