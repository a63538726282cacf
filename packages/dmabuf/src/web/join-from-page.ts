import type { JoinOptions } from "../join-options.js";
import { beIntroduced, listen, type Introduced, type JoinableDomain, type ReadyDomain } from "./introduction.js";

/**
 * The worker's side of `connectWorker()`: waits for the invitation of the page, or of the worker that has made this one, and
 * joins. The message does not reach listeners that were added later.
 *
 * Call it **in the first turn** of the worker's script, before any `await`: a message that comes before is lost.
 * From then on an unhandled rejection is an uncaught error for the page, too: browsers tell it of errors alone.
 *
 * @param Domain The class of `dmabuf`, or of `dmabuf/streams`.
 * @param options As of `Domain.join()`.
 * @returns The domain, and the `data` of `connectWorker()`, whose type the second type parameter says.
 * @throws What `Domain.join()` throws; the page is told, too.
 *
 * @example
 * ```ts page
 * import { Domain, type StreamHandleData } from "dmabuf";
 * import { joinFromPage } from "dmabuf/web";
 *
 * const { domain, data } = await joinFromPage<Domain, { stream: StreamHandleData }>(Domain);
 * for await (using frame of domain.import(data.stream).frames()) console.log(frame.sequence, frame.bytes[0]);
 * ```
 */
export function joinFromPage<Joined extends ReadyDomain, Data = unknown>(
  Domain: JoinableDomain<Joined>,
  options?: JoinOptions,
): Promise<Introduced<Joined, Data>> {
  // One listener, however often it is called.
  const begin = (): unknown => listen(globalThis, ["unhandledrejection"], toUncaught);
  return beIntroduced("joinFromPage()", globalThis, begin, Domain, options);
}

function toUncaught(event: Event): void {
  if (event.defaultPrevented) return;
  event.preventDefault();
  reportError((event as PromiseRejectionEvent).reason);
}
