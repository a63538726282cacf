import { Domain } from "dmabuf";
import { capabilities } from "dmabuf/web";

/** What this page and this browser have. */
export const able = capabilities();

/** A page, its workers and its worklet, with room for those that are being replaced. */
const AGENTS = 24;

/** The domain that all agents of this page are in; none without shared memory. */
const made = able.isolated.has && able.sharedMemory.has ? Domain.create({ name: "page", agents: AGENTS }) : undefined;

export const isPossible = made !== undefined;

/** @throws {Error} Where it is not possible: nothing that needs it is shown then. */
export function domain(): Domain {
  if (made === undefined) throw new Error("There is no shared memory here.");
  return made;
}
