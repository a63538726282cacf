import type { Children } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import type { FenceParameters } from "../sides/fence.js";
import type { OneThreadParameters } from "../sides/one-thread.js";
import type { ReservationParameters } from "../sides/reservation.js";
import type { SignaledWaitParameters } from "../sides/signaled-wait.js";
import { planOf, type Scale } from "./scale.js";

/** The two forms of a frame's way within one thread. */
export const ONE_THREAD = {
  frames: "loanSync() + publish() + nextSync() + close()",
  awaited: "await loan() + publish() + await next() + close()",
};
/** The same in a domain that is validated. */
export const VALIDATED = {
  frames: `${ONE_THREAD.frames}, validated`,
  awaited: `${ONE_THREAD.awaited}, validated`,
};

/** What one thread pays when no other agent is there. */
export function aloneMeasures(children: Children, scale: Scale): Measure[] {
  const plan = planOf(scale, { samples: 1000, batch: 1000 });
  const side = (name: string, ours: boolean, run: Contestant["run"]): Contestant => ({ name, ours, run });
  const fence = (what: FenceParameters["what"]) => () => children.runSide<FenceParameters>("fence.js", { plan, what });
  const reservation = (what: ReservationParameters["what"]) => () =>
    children.runSide<ReservationParameters>("reservation.js", { plan, what });
  const wait = (what: SignaledWaitParameters["what"]) => () =>
    children.runSide<SignaledWaitParameters>("signaled-wait.js", { plan, what });
  const one =
    (what: OneThreadParameters["what"], validate = false) =>
    () =>
      children.runSide<OneThreadParameters>("one-thread.js", { plan, what, validate });
  return [
    {
      group: "one-thread",
      name: "one-thread",
      title: "a frame from its loan to its end, and an access, in one thread",
      contestants: [
        side(ONE_THREAD.frames, true, one("frames")),
        side(ONE_THREAD.awaited, true, one("awaited frames")),
        side(VALIDATED.frames, true, one("frames", true)),
        side(VALIDATED.awaited, true, one("awaited frames", true)),
        side("accessSync() + close()", true, one("access")),
        side("await access() + close()", true, one("awaited access")),
      ],
    },
    {
      group: "fence",
      name: "fence",
      title: "create and signal a fence, no waiter",
      contestants: [
        side("create + signal", true, fence("signal")),
        side("create + signal + check", true, fence("check")),
        side("bare Atomics", false, fence("bare")),
      ],
    },
    {
      group: "reservation",
      name: "reservation",
      title: "put a fence into a reservation, no other agent",
      contestants: [
        side("lock + reserve + add + unlock", true, reservation("reservation")),
        side("bare Atomics", false, reservation("bare")),
      ],
    },
    {
      group: "signaled",
      name: "signaled/blocking",
      title: "wait for a fence that has signaled, blocking",
      contestants: [side("waitSync()", true, wait("sync")), side("bare Atomics.load()", false, wait("load"))],
    },
    {
      group: "signaled",
      name: "signaled/asynchronous",
      title: "wait for a fence that has signaled, asynchronously",
      contestants: [side("await wait()", true, wait("async")), side("await of a promise", false, wait("await"))],
    },
  ];
}
