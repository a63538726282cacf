import { checkOptions } from "./arguments.js";
import { threadStorage } from "./buffer/shared-memory.js";
import { JOIN, type JoinOptions } from "./join-options.js";
import { ANY_WORDS } from "./domain/segment-protocol.js";
import { FEATURES, featuresOfNew, type AllMembers } from "./features.js";
import {
  createThreads,
  joinThreads,
  ThreadDomain,
  type DomainOptions,
  type Invitation,
  type ThreadEntry,
  type ThreadParts,
} from "./thread-domain.js";
import { traced } from "./trace/traced.js";

const PARTS: ThreadParts = { features: FEATURES, words: ANY_WORDS, traced, createCarrier: threadStorage };

export interface Domain extends AllMembers {}

/**
 * A domain of threads: made by the first one, joined by the others. Its threads share buffers, fences, streams, syncobjs
 * and queues.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096, { name: "image" });
 *
 * // Mostly another thread, which got both in a message: postMessage({ invitation, handle }, [invitation.port])
 * const [invitation, handle] = [domain.invite({ name: "worker" }), buffer.handle()];
 * using joined = Domain.join(invitation);
 * using received = joined.import(handle);
 * console.log(received.name, domain.agents); // image [ "main", "worker" ]
 * ```
 */
export class Domain extends ThreadDomain {
  private constructor(entry: ThreadEntry) {
    super(entry, PARTS);
  }

  /**
   * Makes a domain, with the calling thread as its first agent.
   *
   * @param options The sizes of its tables, with room enough for most by default.
   * @throws {TypeError | RangeError} Naming the option that is wrong.
   * @throws {DmaBufError} `ENOMEM` if there is not so much memory; `EOPNOTSUPP` in a page that is not cross-origin isolated.
   */
  static create(options: DomainOptions = {}): Domain {
    checkOptions("Domain.create()", options, JOIN);
    return new Domain(createThreads(options, { ...PARTS, features: featuresOfNew(options) }));
  }

  /**
   * Joins the domain that another thread has invited this one to.
   *
   * @throws {DmaBufError} `EPROTO` if the domain's layout has another version; `ESTALE` if the invitation is void,
   *   because it was used before or its inviter has left.
   * @throws {RangeError} Naming the option that is out of range.
   */
  static join(invitation: Invitation, options: JoinOptions = {}): Domain {
    checkOptions("Domain.join()", options, JOIN);
    return new Domain(joinThreads(invitation, options, PARTS));
  }
}
