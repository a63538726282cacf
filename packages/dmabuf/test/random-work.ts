import type { Fence } from "../src/fence/fence.js";
import { rawFormat, type JoinedDomain, type Reservation } from "../src/index.js";
import type { Random } from "./random.js";

/** Takes a slot of some kind, and gives it back. */
export function claimSomething(domain: JoinedDomain, random: Random): ReturnType<Fence["result"]> | undefined {
  const kind = random.below(4);
  if (kind === 0) domain.allocate(1).close();
  if (kind === 1) domain.createTimeline().close();
  if (kind === 2) domain.createStream({ format: rawFormat(16), buffers: 2 }).close();
  if (kind === 3) return domain.fenceFrom(Promise.resolve()).result();
  return undefined;
}

/** Waits for the fences of some usage, in one way or the other. */
export async function waitForSomeUsage(reservation: Reservation, random: Random): Promise<void> {
  const usage = random.pick(["kernel", "write", "read", "bookkeep"] as const);
  if (random.oneIn(2)) reservation.waitSync(usage);
  else await reservation.wait(usage);
}
