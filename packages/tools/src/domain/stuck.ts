import type { ExplainedParty, ExplainedThing, ExplanationData } from "dmabuf";
import type { SnapshotWait } from "dmabuf/node";

/**
 * Whether something is stuck: it will not go on by itself, or has not for long.
 *
 * stuck.1. What a dead or a stopped agent holds up is stuck, and what waits for itself in a circle.
 * stuck.2. So is what an agent has waited for longer than the limit. A consumer that waits for a frame, and a producer that
 *     waits for consumers, may wait for ever: that is their work.
 */

/** What may last for ever. */
const PATIENT: ReadonlySet<SnapshotWait["does"]> = new Set(["awaits-frame", "awaits-consumers"]);

/**
 * Whether what an explanation shows is stuck.
 *
 * @param waits What the agents wait for, of the same moment.
 * @param limit Seconds.
 */
export function isStuck(
  { things, at }: Pick<ExplanationData, "things" | "at">,
  waits: readonly SnapshotWait[],
  limit: number,
): boolean {
  const before = at - limit * 1e9;
  const long = waits.filter(({ does, since = Infinity }) => isWait(does) && !PATIENT.has(does) && since < before);
  const texts = new Set(long.map(({ text }) => text.replace(/^waits (for|to \w+) /, "")));
  return things.some((thing) => isThingStuck(thing, texts));
}

function isWait(does: SnapshotWait["does"]): boolean {
  return does.startsWith("awaits-");
}

function isThingStuck(thing: ExplainedThing, long: ReadonlySet<string>): boolean {
  if (long.has(thing.text)) return true;
  const parties = thing.heldUpBy;
  const isHeld = (party: ExplainedParty): boolean => isPartyStuck(party, long);
  // Of some things one party that goes on is enough.
  return parties.length > 0 && (thing.any ? parties.every(isHeld) : parties.some(isHeld));
}

function isPartyStuck({ agent, circle, text, waitsFor }: ExplainedParty, long: ReadonlySet<string>): boolean {
  if (agent.state === "dead" || agent.state === "stopped" || circle) return true;
  // What was asked about may be a buffer, and what agents wait for one of its fences.
  if ([...long].some((awaited) => awaited.startsWith("fence ") && text.includes(awaited))) return true;
  return waitsFor.some((wait) => isThingStuck(wait.thing, long));
}
