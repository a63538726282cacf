import type { Activity } from "../domain/activity.js";
import type { WaitCondition } from "../domain/agent.js";
import type { Identity } from "../domain/agent-slot.js";
import type { AccessMode } from "../reservation/usage.js";
import type { Holds } from "./hold.js";

/** A wait for a hold that ends when it is taken. */
export interface AwaitedHold extends WaitCondition {
  /** The end of a wait that has not taken the hold. */
  giveUp(): void;
  /** The agents that hold it up just now. */
  inTheWay(): Identity[];
}

/**
 * Waits for a hold of a buffer. Call `giveUp` on it if the wait ends without the hold.
 *
 * @param action For messages.
 */
export function awaitedHold(holds: Holds, mode: AccessMode, action = "use the buffer"): AwaitedHold {
  const arm = (): void => holds.arm();
  const activity = (): Activity => ({ does: `awaits-${mode}`, slot: holds.slot });
  const users = (): Identity[] => holds.users();
  // A waiting writer keeps readers out (hold.4). Its own claim is not in its own way.
  let claimed = false;
  const checkBlocking = (): void => {
    const isInOwnWay = claimed ? holds.isReading : holds.isInOwnWay(mode);
    if (isInOwnWay) throw holds.agent.blocksItself("deadlock", `Cannot block to ${action}: this thread itself uses it`);
  };
  if (mode === "read") {
    return { arm, activity, checkBlocking, ready: () => holds.tryTake("read"), inTheWay: users, giveUp: () => {} };
  }
  return {
    arm,
    activity,
    checkBlocking,
    inTheWay: () => (claimed ? holds.readingAgents() : users()),
    ready: () => {
      claimed ||= holds.claimWriter();
      if (!claimed || holds.isReading || holds.anyReader()) return false;
      claimed = false;
      return true;
    },
    giveUp: () => {
      if (claimed) holds.drop("write");
    },
  };
}
