import { check, checkOptions, oneOf, type Kinds } from "../arguments.js";
import { DOMAIN } from "../domain-base.js";
import { DmaBufError } from "../errors.js";
import type { Invitation } from "../thread-domain.js";
import { introduce, INTRODUCTION, listen, type IntroductionOptions, type InvitingDomain } from "./introduction.js";
import { having } from "./method-kind.js";

/** Options of {@link connectWorker}. */
export interface ConnectWorkerOptions extends IntroductionOptions {
  /**
   * What becomes of a worker that has joined, once it has an uncaught error or an unhandled rejection. In a browser
   * that is no death: what the worker holds it would hold for good. Default "terminate".
   */
  readonly onUncaught?: "terminate" | "keep";
}

/** A worker that has joined a domain. */
export interface WorkerLink {
  /** The worker. */
  readonly worker: Worker;
  /** Its name in the domain. */
  readonly name: string;
  /** What it has joined by. */
  readonly invitation: Invitation;
  /** Resolves when the end of the worker was noticed, whatever way it came, or this thread has left the domain. Never rejects. */
  readonly ended: Promise<void>;
  /** Ends the worker. Resolves when that was noticed, and what it held was given back: in Chromium 2 s later if it computes. */
  terminate(): Promise<void>;
}

const OPTIONS: Kinds<ConnectWorkerOptions> = {
  ...INTRODUCTION,
  onUncaught: /* @__PURE__ */ oneOf(["terminate", "keep"]),
};
const WORKER = /* @__PURE__ */ having("terminate", "a Worker");

/**
 * Has a worker join a domain: invites it, posts it the invitation, and waits until it has joined by `joinFromPage()` and its
 * end would be noticed. Call it in the turn in which the worker is made. It is for pages, and for workers with workers of
 * their own.
 *
 * If the worker does not come so far, the invitation is taken back, and no place in the domain is lost.
 *
 * @returns The worker, with its end.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EIO` if its script did not load or threw, with what it threw; `ETIMEDOUT` if it has not joined in
 *   time; what `Domain.join()` has thrown there; what `invite()` throws. A `DataCloneError` if `data` cannot be posted.
 *
 * @example
 * ```ts page
 * import { Domain, rawFormat } from "dmabuf";
 * import { connectWorker } from "dmabuf/web";
 *
 * const domain = Domain.create({ name: "page" });
 * const stream = domain.createStream({ format: rawFormat(4096) });
 * const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
 * const link = await connectWorker(domain, worker, { name: "reader", data: { stream: stream.handle() } });
 * void link.ended.then(() => console.log("the reader has ended"));
 * ```
 */
export async function connectWorker(
  domain: InvitingDomain,
  worker: Worker,
  options: ConnectWorkerOptions = {},
): Promise<WorkerLink> {
  const call = "connectWorker()";
  check(call, "domain", domain, DOMAIN);
  check(call, "worker", worker, WORKER);
  checkOptions(call, options, OPTIONS);
  const introduced = await introduce(domain, worker, options, {
    heed: (failed) =>
      listen(worker, ["error", "messageerror"], (event) => {
        // An error that the call rejects with is not one of the page, too.
        if (failed(failureOf(event as ErrorEvent))) event.preventDefault();
      }),
    lost: () => options.onUncaught !== "keep" && worker.terminate(),
  });
  const { ended } = introduced;
  return {
    worker,
    ...introduced,
    terminate() {
      worker.terminate();
      return ended;
    },
  };
}

function failureOf({ type, message, filename, lineno }: ErrorEvent): DmaBufError {
  const why = type === "error" ? "its script did not load" : "a message from it cannot be read here";
  return new DmaBufError("EIO", `Cannot connect the worker: ${message ? `${message} (${filename}:${lineno})` : why}`);
}
