import { agentOf } from "../src/domain-base.js";
import assert from "node:assert/strict";
import { claimAgentSlot } from "../src/domain/agent-slot.js";
import { claimBuffer } from "../src/buffer/buffer-slot.js";
import { claimOneShot } from "../src/domain/one-shot-slot.js";
import { claimTimeline } from "../src/domain/timeline-slot.js";
import type { DmaBuf, DmaBufError, FrameStream, JoinedDomain } from "../src/index.js";
import { claimUserFence } from "../src/fence/user-fence-slot.js";
import { claimStream } from "../src/stream/stream-slot.js";

/** What the one who lives on has, after another one has died. */
export interface AfterDeath {
  /** The only agent left. */
  readonly survivor: JoinedDomain;
  /** All buffers there are, but those of the stream. */
  readonly buffers: readonly DmaBuf[];
  /** The only stream, with a loan or a frame that no consumer waits for. */
  readonly stream: FrameStream;
  /** How many slots the survivor has not taken. */
  readonly free: Readonly<
    Record<"agents" | "buffers" | "timelines" | "oneShots" | "streams" | "syncobjs" | "userFences", number>
  >;
}

/** What the survivor has is as if the other had never been. Takes all slots: the domain is of no use afterwards. */
export function checkNothingIsLeft({ survivor, buffers, stream, free }: AfterDeath): void {
  const [name] = survivor.agents;
  for (const buffer of survivor.statistics()) {
    const { holders, readers, writer, attachments, pendingFences, overdueFences } = buffer;
    assert.deepEqual(
      { holders, readers, writer, attachments, pendingFences, overdueFences },
      { holders: [name], readers: [], writer: undefined, attachments: 0, pendingFences: 0, overdueFences: 0 },
    );
  }
  assert.equal(survivor.agents.length, 1);
  for (const buffer of buffers) {
    buffer.tryAccess("write")![Symbol.dispose]();
    buffer.reservation.tryLock()![Symbol.dispose]();
  }
  assert.equal(stream.consumers, 0);
  stream.loanSync({ timeout: 0 })!.publish();
  assert.ok(survivor.import(structuredClone(stream.handle())).frames().nextSync({ timeout: 0 }));
  assert.deepEqual(countFreeSlots(survivor), free);
}

function countFreeSlots(survivor: JoinedDomain): AfterDeath["free"] {
  const agent = agentOf(survivor);
  const fence = { name: "", driverName: "", timeLimit: 1 };
  return {
    syncobjs: countUntilFull(() => survivor.createSyncobj().handle()),
    userFences: countUntilFull(() => claimUserFence(agent, "")),
    agents: countUntilFull(() => claimAgentSlot(agent, "")),
    buffers: countUntilFull(() => claimBuffer(agent, { size: 1, name: "", exporterName: "" })),
    timelines: countUntilFull(() => claimTimeline(agent, fence)),
    oneShots: countUntilFull(() => claimOneShot(agent, { ...fence, context: 1, seqno: 1, seqno32: false })),
    streams: countUntilFull(() => claimStream(agent, "", [])),
  };
}

function countUntilFull(claim: () => unknown): number {
  for (let count = 0; ; count++) {
    try {
      claim();
    } catch (error) {
      assert.equal((error as DmaBufError).code, "ENOSPC");
      return count;
    }
  }
}
