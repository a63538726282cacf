/** What an agent that must give way does wrong. */
import { DmaBufError, type AcquireContext, type DmaBuf } from "../../../src/index.js";
import type { Case, Stage } from "../case.js";

export const BACK_OFF: readonly Case[] = [
  {
    id: "back-off-other-first",
    mistake: "An agent that must give way unlocks all, and locks another buffer than the contended one first",
    code: "back-off",
    wrong: {
      older,
      async younger(stage) {
        const { b, c } = stage;
        using context = await mustGiveWay(stage);
        context.backOff();
        await refused(c, context);
        (await b.reservation.lock(context)).close();
      },
    },
    right: {
      older,
      async younger(stage) {
        const { a, b, c } = stage;
        using context = await mustGiveWay(stage);
        context.backOff();
        for (const buffer of [b, a, c]) await buffer.reservation.lock(context);
        context.done();
      },
    },
  },
  {
    id: "back-off-holding",
    mistake: "An agent that must give way asks again for the contended lock, and gives up nothing",
    code: "back-off",
    wrong: {
      older,
      async younger(stage) {
        using context = await mustGiveWay(stage);
        await refused(stage.b, context);
      },
    },
    right: {
      older,
      async younger(stage) {
        using context = await mustGiveWay(stage);
        context.backOff();
        await stage.b.reservation.lock(context);
      },
    },
  },
  {
    id: "back-off-after-done",
    mistake: "A lock is taken with a context that has all its locks",
    code: "back-off",
    wrong: {
      async only({ domain, a, b }) {
        using context = domain.createAcquireContext();
        await a.reservation.lock(context);
        context.done();
        await refused(b, context);
      },
    },
    right: {
      async only({ domain, a, b }) {
        using context = domain.createAcquireContext();
        await a.reservation.lock(context);
        await b.reservation.lock(context);
        context.done();
      },
    },
  },
  {
    id: "back-off-done-too-early",
    mistake: "A context says that it has all its locks just after one was refused",
    code: "back-off",
    wrong: {
      older,
      async younger(stage) {
        using context = await mustGiveWay(stage);
        context.done();
      },
    },
    right: {
      older,
      async younger(stage) {
        using context = await mustGiveWay(stage);
        context.backOff();
        await stage.b.reservation.lock(context);
        context.done();
      },
    },
  },
];

/** Has the older context, and locks `b` until the younger one has been refused. */
async function older({ domain, b, say, hear }: Stage): Promise<void> {
  using context = domain.createAcquireContext();
  await b.reservation.lock(context);
  say("locked");
  await hear("refused");
  context.close();
  say("open");
}

/** The younger context holds `a`, and was refused `b`, which is open by now. */
async function mustGiveWay({ domain, a, b, say, hear }: Stage): Promise<AcquireContext> {
  await hear("locked");
  const context = domain.createAcquireContext();
  await a.reservation.lock(context);
  await refused(b, context);
  say("refused");
  await hear("open");
  return context;
}

async function refused(buffer: DmaBuf, context: AcquireContext): Promise<void> {
  try {
    await buffer.reservation.lock(context);
  } catch (error) {
    if (error instanceof DmaBufError) return;
    throw error;
  }
  throw new Error("The lock was not refused");
}
