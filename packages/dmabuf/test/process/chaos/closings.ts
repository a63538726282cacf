/** What members do where something is counted when it is whole, and ends with its holder: see chaos.9 and chaos.10. */
import { agentOf } from "../../../src/domain-base.js";
import assert from "node:assert/strict";
import { otherAgents, type Identity } from "../../../src/domain/agent-slot.js";
import { rawFormat, type Consumer, type DmaBuf, type DmaBufError } from "../../../src/index.js";
import type { ProcessDomain } from "../../../src/node/index.js";
import { pause } from "../../agents.js";
import type { Random } from "../../random.js";

/** More than the stream has buffers. */
const FRAMES = 3;

/**
 * Produces a stream for one other agent alone, and waits until that has joined.
 *
 * @param early The planted fault: all frames but the last do not wait, and the first of them are lost.
 * @returns Whether it has come.
 */
export async function performFor(domain: ProcessDomain, random: Random, early: boolean): Promise<boolean> {
  const guests = [...otherAgents(agentOf(domain))];
  if (guests.length === 0) return false;
  const stream = domain.createStream({ name: nameFor(random.pick(guests)), format: rawFormat(16), buffers: 2 });
  try {
    const publish = async (data: number): Promise<void> => {
      (await stream.loan({ timeout: 2_000 }))!.publish({ data });
    };
    let number = 0;
    while (early && number < FRAMES) await publish(number++);
    await stream.waitForConsumers(1, { timeout: early ? 1_000 : 50 });
    while (number <= FRAMES) await publish(number++);
    return true;
  } catch (error) {
    // It does not look for one now, or is stopped.
    if ((error as DmaBufError).code !== "ETIMEDOUT") throw error;
    return false;
  } finally {
    stream.close();
  }
}

/** Takes all frames of a stream that is for this agent alone. @returns Whether there is one. */
export async function attend(domain: ProcessDomain): Promise<boolean> {
  try {
    using stream = await domain.findStream(nameFor(agentOf(domain).identity), { timeout: 5 });
    using consumer = stream.frames({ policy: "block" });
    await takeAll(consumer);
    return true;
  } catch (error) {
    if (!["ETIMEDOUT", "ESTALE", "ESRCH"].includes((error as DmaBufError).code)) throw error;
    return false;
  }
}

/** chaos.9 */
async function takeAll(consumer: Consumer): Promise<void> {
  for (let number = 0; ; number++) {
    using frame = await consumer.next();
    if (frame === undefined) return;
    assert.equal(frame.data, number, "chaos.9: the only consumer that was waited for misses a frame");
  }
}

/**
 * Waits for the lock of a shared buffer as a holder that is closed during the wait.
 *
 * @param keeps The planted fault: the holder is not closed.
 */
export async function closeUnderLock(buffer: DmaBuf, random: Random, keeps: boolean): Promise<void> {
  const holder = buffer.duplicate();
  const locking = holder.reservation.lock();
  const outcome = locking.then(
    () => "locked",
    (error: unknown) => (error as DmaBufError).code,
  );
  await pause(random.below(3));
  if (keeps) return void (await outcome);
  holder.close();
  // chaos.10: it was locked, and is no more, or the wait has ended.
  assert.match(String(await outcome), /^(locked|EBADF)$/);
}

function nameFor(guest: Identity): string {
  return `for ${guest}`;
}
