/** A long-running job in one agent, and those that need its buffer in others. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { DmaBuf } from "../../../src/index.js";
import { isPending, pause, until } from "../../agents.js";
import type { Party, Place } from "./party.js";

const LIMIT = { timeout: 180_000 };
const PATIENT = 60_000;

/** All have the buffer as "b": its exporter, the agent with the job, and this one. */
async function scene(place: Place, t: TestContext, preemptLimit = PATIENT) {
  const { domain, parties } = await place.meet(t, 3, { agents: 8, buffers: 16 });
  const [exporter, trainer, other] = parties as [Party, Party, Party];
  const buffer = domain.import(await exporter.ask("exportBuffer", "b"));
  for (const party of [trainer, other]) await party.ask("openBuffer", "b", structuredClone(buffer.handle()));
  const counted = trainer.start("countLong", "b", preemptLimit);
  // It ends with its agent, if not before.
  counted.done.catch(() => {});
  await counted.begun;
  return { domain, exporter, trainer, other, buffer, counted };
}

async function countOf(buffer: DmaBuf): Promise<number> {
  using access = await buffer.access("read", { evict: true });
  const [bytes] = access.segments;
  return new DataView(bytes!.buffer, bytes!.byteOffset).getUint32(0);
}

export function longRunningCases(place: Place): void {
  test(
    "a job goes on with its bytes while another agent moves them, two hundred times (long-running.4)",
    LIMIT,
    async (t) => {
      const { exporter, trainer, buffer, counted } = await scene(place, t);
      for (let time = 0; time < 20; time++) {
        const rounds = await trainer.ask("roundsOf", "b");
        await exporter.ask("moveUnder", "b", 10);
        while ((await trainer.ask("roundsOf", "b")) <= rounds);
      }
      await trainer.ask("endCounting", "b");
      assert.equal(await counted.done, undefined);
      assert.equal(await countOf(buffer), await trainer.ask("roundsOf", "b"));
    },
  );

  test(
    "a job makes way for three agents at once, blocking ones too, and comes back (long-running.2)",
    LIMIT,
    async (t) => {
      const { exporter, trainer, other, buffer } = await scene(place, t);
      const evicting = [exporter, other].map((party) => party.ask("evictOften", "b", 20));
      for (let time = 0; time < 20; time++) {
        using _access = buffer.accessSync("write", { evict: true, timeout: PATIENT });
        await pause(1);
      }
      assert.deepEqual(await Promise.all(evicting), [0, 0]);
      const rounds = await trainer.ask("roundsOf", "b");
      while ((await trainer.ask("roundsOf", "b")) <= rounds);
    },
  );

  test(
    "a job whose thread blocks is stopped, and its memory given to none before it is dead (long-running.5)",
    LIMIT,
    async (t) => {
      const { exporter, trainer, buffer } = await scene(place, t, 200);
      await trainer.ask("blockCounting", "b");
      await pause(50);
      const [fence] = buffer.reservation.getFences("bookkeep");
      await fence!.wait();
      assert.equal(fence!.error?.code, "ETIMEDOUT");
      const moved = exporter.ask("moveUnder", "b", 1);
      assert.equal(await isPending(moved), true);
      await assert.rejects(buffer.evict({ timeout: 20 }), {
        code: "ETIMEDOUT",
        message: /"counting", which timed out/,
      });
      await trainer[Symbol.asyncDispose]();
      await moved;
    },
  );

  for (const when of ["while it runs", "while it is suspended", "while it comes back"]) {
    test(`an agent dies with a job ${when}, and others get the buffer`, LIMIT, async (t) => {
      const { domain, exporter, trainer, buffer } = await scene(place, t);
      const work = domain.createTimeline({ timeLimit: PATIENT }).createFence();
      const lock = when === "while it runs" ? undefined : await buffer.reservation.lock();
      if (lock !== undefined) await buffer.evict({ timeout: PATIENT });
      if (when === "while it comes back") {
        buffer.reservation.reserveFences(1);
        buffer.reservation.addFence(work, "write");
        lock!.close();
        await until(() => buffer.reservation.getFences("bookkeep").length === 2);
      }
      await trainer[Symbol.asyncDispose]();
      lock?.close();
      work.signal();
      assert.equal(await buffer.reservation.wait("bookkeep", { timeout: PATIENT }), "signaled");
      await exporter.ask("moveUnder", "b", 1);
      assert.ok((await countOf(buffer)) > 0);
    });
  }
}
