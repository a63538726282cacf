import { whileJoined, type Feature, type Part } from "../domain/feature.js";
import { needFeature } from "../domain/shared-features.js";
import { USER_FENCE_RECOVERY } from "./user-fence-slot.js";
import { createUserFence, makeUserFence, type UserFence, type UserFenceOptions } from "./user-fence.js";
import type { PlainUserFenceHandleData, UserFenceHandleData } from "./user-fence-handle.js";
import { UserFenceTable } from "./user-fence-table.js";

/** What a domain does with fences that user code decides. */
export interface UserFenceMembers {
  /**
   * A fence that each agent that has it may signal, and that promises nothing: see {@link UserFence}.
   *
   * @throws {DmaBufError} `ENOSPC` if all user fences are in use; `EINVAL` for a name that is too long; `EBADF` if this
   *   thread has left the domain.
   */
  createUserFence(options?: UserFenceOptions): UserFence;
}

/** Opens the handles of memory fences, where there are buffers. */
export const MEMORY_FENCES: Part<(handle: UserFenceHandleData) => UserFence> = { name: "memory fences" };

/** The user fences of an agent, for what else makes some. */
export const USER_FENCE_TABLE: Part<UserFenceTable> = { name: "user fences" };

/** Fences that user code decides. */
export const USER_FENCES: Feature<UserFenceMembers> = {
  name: "user-fences",
  shares: ["user-fences"],
  steps: USER_FENCE_RECOVERY,
  install(core) {
    const { layout } = core.agent;
    const table = core.provide(USER_FENCE_TABLE, new UserFenceTable(core));
    core.onClose(() => table.close());
    core.opens("user-fence", (handle: UserFenceHandleData) => {
      needFeature(layout, "user-fences", "import the user fence");
      if (handle.form === "memory") return core.get(MEMORY_FENCES)(handle);
      return makeUserFence(table.open(handle as PlainUserFenceHandleData));
    });
    return whileJoined(core, {
      createUserFence(options) {
        needFeature(layout, "user-fences", "create a user fence");
        return createUserFence(table, options);
      },
    });
  },
};
