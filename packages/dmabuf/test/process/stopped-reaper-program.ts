/** A process of a chaos run that kills a member, is the first to recover it, and stops in the middle of that. */
import { agentOf } from "../../src/domain-base.js";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Identity } from "../../src/domain/agent-slot.js";
import { AGENT } from "../../src/domain/layout.js";
import { recover } from "../../src/domain/recovery.js";
import { recoveryOf } from "../../src/domain/feature.js";
import { FEATURES } from "../../src/features.js";
import { ProcessDomain } from "../../src/node/index.js";
import { SteppedSubstrate } from "../../src/testing/index.js";
import { memoryHook } from "../../src/node/joining/control-segment.js";

export interface ReapOrder {
  readonly joinsAt: string;
  /** Whom it kills. */
  readonly pid: number;
  readonly identity: Identity;
  /** Before which step of the recovery it stops itself; 0 for when it has claimed the dead agent's slot. */
  readonly step: number;
}

/** Memory whose agent stops when it has claimed a dead agent's slot. */
class ClaimingSubstrate extends SteppedSubstrate {
  reaperWord = -1;

  override compareExchange(word: number, expected: number, replacement: number): number {
    const found = super.compareExchange(word, expected, replacement);
    if (word === this.reaperWord && found === expected && replacement !== 0) standStill();
    return found;
  }
}

process.on("disconnect", () => process.exit(1));
const [order] = (await once(process, "message")) as [ReapOrder];
let memory: ClaimingSubstrate | undefined;
memoryHook.wrap = (real) => (memory = new ClaimingSubstrate(real));
const domain = await ProcessDomain.connect(order.joinsAt, {
  name: "reaper",
  timeout: 20_000,
});
process.send!(agentOf(domain).identity);
await once(process, "message");

process.kill(order.pid, "SIGKILL");
while (isRunning(order.pid));
const agent = agentOf(domain);
if (order.step === 0) memory!.reaperWord = agent.layout.agent(order.identity & 1023) + AGENT.REAPER;
else memory!.begin({ at: order.step, happen: standStill });
recover(agent, order.identity, recoveryOf(FEATURES), agent.host.nowNs());
memory!.begin({});
process.send!("reaped");

function standStill(): void {
  process.kill(process.pid, "SIGSTOP");
}

function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
