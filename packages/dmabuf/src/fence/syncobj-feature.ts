import { whileJoined, type Feature } from "../domain/feature.js";
import { needFeature } from "../domain/shared-features.js";
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
    const { layout } = core.agent;
    const table = new SyncobjTable(core);
    core.onClose(() => table.close());
    core.opens("syncobj", (handle: SyncobjHandleData) => {
      needFeature(layout, "syncobjs", "import the syncobj");
      return openSyncobj(table, handle);
    });
    return whileJoined(core, {
      createSyncobj(options) {
        needFeature(layout, "syncobjs", "create a syncobj");
        return createSyncobj(table, options);
      },
    });
  },
};
