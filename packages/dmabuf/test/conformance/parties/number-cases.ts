/**
 * The conformance cases on fences whose numbers have 32 bits and wrap, with their maker and who uses them in different
 * places.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DmaBuf, FenceHandle, JoinedDomain } from "../../../src/index.js";
import { addFence, places } from "../reservation-support.js";
import type { Party, Place } from "./party.js";
import { begin } from "./waiting.js";

const PATIENT = { timeout: 30_000 };
const BEFORE = 0xffff_ffff;
const AFTER = 1;

interface Sent {
  readonly domain: JoinedDomain;
  /** Both parties have it as "b". */
  readonly buffer: DmaBuf;
  /** Has made the fences, by their numbers. */
  readonly maker: Party;
  readonly other: Party;
  readonly before: FenceHandle;
  readonly after: FenceHandle;
}

export function numberCases(place: Place): void {
  /** Registers a fact about two fences of one agent, before and after the wrap, that two other agents use. */
  function fact(name: string, body: (sent: Sent) => Promise<void>): void {
    test(`${name} (fences of another agent)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 2);
      const [buffer, maker, other] = [domain.allocate(4096), parties[0]!, parties[1]!];
      for (const party of parties) await party.ask("openBuffer", "b", buffer.handle());
      const [before, after] = await maker.ask("makeWrapping", [BEFORE, AFTER]);
      await body({ domain, buffer, maker, other, before: before!, after: after! });
    });
  }

  fact("FEN-39 another agent knows how the numbers are compared", async ({ domain, other, before, after }) => {
    assert.deepEqual(
      [await other.ask("isLater", after, before), await other.ask("isLater", before, after)],
      [true, false],
    );
    const again = domain.import(after).handle();
    assert.equal(await other.ask("isLater", again, before), true, "as it does of what was imported and sent on");
  });

  fact("RSV-25 the fence after the wrap takes the place of the one before, whichever agent adds them", async (sent) => {
    const { domain, buffer, maker, other, before, after } = sent;
    addFence(buffer.reservation, domain.import(before), "write");
    await other.ask("addImported", "b", after, "write");
    const left = places(buffer.reservation);
    assert.deepEqual(left, [[domain.import(after).context, AFTER, "write"]]);
    await maker.ask("addKept", "b", String(BEFORE), "write");
    assert.deepEqual((await other.ask("placesOf", "b")).slice(0, 1), left);
  });

  fact("UNW-09 a merge of what another agent has put into a buffer keeps the fence after the wrap", async (sent) => {
    const { domain, buffer, maker, other } = sent;
    await maker.ask("addKept", "b", String(BEFORE), "write");
    await maker.ask("addKept", "b", String(AFTER), "read");
    assert.equal(buffer.reservation.getFences("read").length, 2);
    const merged = await other.ask("mergeOf", "b", "read");
    assert.equal(domain.import(merged).seqno, AFTER);
  });

  fact("SCH-11 a job waits for another agent's fence after the wrap", async ({ maker, other, before, after }) => {
    const job = await begin(other.start("jobAfter", [before, after]));
    await maker.ask("signal", String(BEFORE));
    assert.equal(await job.isSettled(), false);
    await maker.ask("signal", String(AFTER));
    assert.equal(await job.done, 1);
  });
}
