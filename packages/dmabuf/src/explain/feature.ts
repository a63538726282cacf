import { check, type Kind } from "../arguments.js";
import { DmaBuf } from "../buffer/buffer.js";
import { checkOwn } from "../domain/agent.js";
import { whileJoined, type Feature } from "../domain/feature.js";
import { addExplanation, DmaBufError } from "../errors.js";
import type { Explanation } from "../explanation.js";
import { Fence } from "../fence/fence.js";
import { UserFence } from "../fence/user-fence.js";
import { Queue } from "../queue/queue.js";
import { Reservation } from "../reservation/reservation.js";
import { FrameStream } from "../stream/frame-stream.js";
import { Activities } from "./activities.js";
import { ACTIVITY_RECOVERY } from "./activity-slot.js";
import { explainFrom } from "./explain.js";
import { callOf, rememberPromises } from "./promises.js";
import { activityOf, agentOfObject, thingsOf, type Explainable } from "./things-of.js";

/** What a domain does to explain why something waits. */
export interface ExplainMembers {
  /**
   * Says who waits for whom, since when and why, through all threads and processes, to the one at the root. It asks none of
   * them, so that it works although they hang or are stopped. What has lasted for less than a tenth of a second has no time
   * yet, and a place in the program is known of agents with `DMABUF_DEBUG=1`, or the option "debug", alone.
   *
   * @param what A fence, a user fence, a buffer, a reservation, a stream (its producer's end asks for a loan, any other for a frame), a
   *   queue, or a promise that an asynchronous method of one of them has given. Default: all that waits in the domain.
   * @throws {TypeError} If it is none of these, or of another domain.
   * @throws {DmaBufError} `EBADF` if what is asked about was closed, or this thread has left the domain.
   *
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using other = Domain.join(domain.invite({ name: "detector" }));
   * using buffer = domain.allocate(4096, { name: "frame" });
   * using imported = other.import(buffer.handle());
   * using access = await imported.access("write");
   * console.log(domain.explain(buffer).sentence);
   * // agent "detector" holds a write access of buffer "frame", and waits for nothing in this domain
   * console.log(access.bytes.length);
   * ```
   */
  explain<Data>(what?: Explainable<Data>): Explanation;
}

const EXPLAINABLE: Kind = {
  wanted: "a Fence, UserFence, DmaBuf, Reservation, FrameStream, Queue, or a promise that one of them has given",
  isKind: (value) => CLASSES.some((one) => value instanceof one),
};
const CLASSES = [Fence, UserFence, DmaBuf, Reservation, FrameStream, Queue, Promise];

/** Tells what lasts in one agent to the others, and explains what lasts there. */
export const EXPLANATIONS: Feature<ExplainMembers> = {
  name: "explanations",
  shares: ["explanations"],
  steps: [ACTIVITY_RECOVERY],
  install(core) {
    const { agent } = core;
    rememberPromises();
    const activities = new Activities(agent, activityOf, (error, doing) => {
      if (!(error instanceof DmaBufError) || error.code !== "ETIMEDOUT" || error.explanation !== undefined) return;
      const things = thingsOf(agent, doing);
      if (things.length > 0) addExplanation(error, explainFrom(agent, things, agent.identity));
    });
    agent.activities = activities;
    agent.held.activities = activities;
    core.onClose(() => activities.close());
    return whileJoined<ExplainMembers>(core, {
      explain(what) {
        if (what === undefined) return explainFrom(agent);
        check("Domain.explain()", "what", what, EXPLAINABLE);
        if (what instanceof Promise) return explainFrom(agent, thingsOf(agent, callOf(what)?.doing), agent.identity);
        checkOwn("Domain.explain()", "what", agentOfObject(what), agent);
        return explainFrom(agent, thingsOf(agent, what));
      },
    });
  },
};
