import { whileJoined, type Feature } from "../domain/feature.js";
import { SYNCOBJ_RECOVERY } from "./syncobj-slot.js";
import { createSyncobj, openSyncobj, type Syncobj, type SyncobjOptions } from "./syncobj.js";
import type { SyncobjHandleData } from "./syncobj-handle.js";
import { SyncobjTable } from "./syncobj-table.js";

/** What a domain does with syncobjs. */
export interface SyncobjMembers {
  /**
   * A place for a fence that does not exist yet, or for a timeline of them.
   *
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  createSyncobj(options?: SyncobjOptions): Syncobj;
}

export const SYNCOBJS: Feature<SyncobjMembers> = {
  name: "syncobjs",
  shares: ["syncobjs"],
  steps: SYNCOBJ_RECOVERY,
  install(core) {
    const table = new SyncobjTable(core);
    core.onClose(() => table.close());
    core.opens("syncobj", (handle: SyncobjHandleData) => openSyncobj(table, handle));
    return whileJoined(core, { createSyncobj: (options) => createSyncobj(table, options) });
  },
};
