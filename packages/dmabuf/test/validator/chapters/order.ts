// cspell:ignore aquired
/** Orders in which locks, holds and fences are taken that contradict each other. None of these programs hangs here. */
import type { DmaBuf } from "../../../src/index.js";
import type { Case } from "../case.js";
import { lockEach } from "../parts.js";

export const ORDER: readonly Case[] = [
  {
    id: "order-locks",
    mistake: "Two agents lock two buffers, each in its own order",
    code: "lock-order",
    source: {
      project: "wgpu",
      title: "[core] deadlock between `poll_all_devices` and `queue_submit`",
      where: "https://github.com/gfx-rs/wgpu/issues/5695",
    },
    wrong: {
      async poller({ a, b, say }) {
        await lockEach(a, b);
        say("polled");
      },
      async submitter({ a, b, hear }) {
        await hear("polled");
        await lockEach(b, a);
      },
    },
    right: {
      async poller({ a, b, say }) {
        await lockEach(a, b);
        say("polled");
      },
      async submitter({ a, b, hear }) {
        await hear("polled");
        await lockEach(a, b);
      },
    },
  },
  {
    id: "order-without-context",
    mistake: "An agent takes a second lock beside the acquire context that knows of the first",
    code: "lock-order",
    wrong: {
      async first({ a, b, say }) {
        await lockEach(a, b);
        say("done");
      },
      async second({ domain, a, b, hear }) {
        await hear("done");
        using context = domain.createAcquireContext();
        using _b = await b.reservation.lock(context);
        using _a = await a.reservation.lock();
      },
    },
    right: {
      async first({ domain, a, b, say }) {
        using _both = await domain.lockAll([a, b]);
        say("done");
      },
      async second({ domain, a, b, hear }) {
        await hear("done");
        using context = domain.createAcquireContext();
        using _b = await b.reservation.lock(context);
        using _a = await a.reservation.lock(context);
      },
    },
  },
  {
    id: "order-ring",
    mistake: "Three agents lock two buffers each, in a ring",
    code: "lock-order",
    wrong: {
      async first({ a, b, say }) {
        await lockEach(a, b);
        say("first");
      },
      async second({ b, c, hear, say }) {
        await hear("first");
        await lockEach(b, c);
        say("second");
      },
      async third({ a, c, hear }) {
        await hear("second");
        await lockEach(c, a);
      },
    },
    right: {
      async first({ a, b, say }) {
        await lockEach(a, b);
        say("first");
      },
      async second({ b, c, hear, say }) {
        await hear("first");
        await lockEach(b, c);
        say("second");
      },
      async third({ a, c, hear }) {
        await hear("second");
        await lockEach(a, c);
      },
    },
  },
  {
    id: "order-tasks",
    mistake: "Two tasks of one agent lock two buffers, each in its own order",
    code: "lock-order",
    wrong: {
      async only({ a, b }) {
        await lockEach(a, b);
        await lockEach(b, a);
      },
    },
    right: {
      // They run at the same time, and each waits for the other.
      async only({ a, b }) {
        await Promise.all([lockEach(a), lockEach(b), lockEach(a, b), lockEach(a, b)]);
      },
    },
  },
  {
    id: "order-accesses",
    mistake: "Two agents copy between two buffers, and each takes first what it reads",
    code: "lock-order",
    wrong: {
      async forth({ a, b, say }) {
        await copy(a, b);
        say("copied");
      },
      async back({ a, b, hear }) {
        await hear("copied");
        await copy(b, a);
      },
    },
    right: {
      async forth({ a, b, say }) {
        await copy(a, b);
        say("copied");
      },
      async back({ a, b, hear }) {
        await hear("copied");
        // Whatever is copied where, the buffers are taken in one order.
        using to = await a.access("write");
        using from = await b.access("read");
        to.bytes.set(from.bytes);
      },
    },
  },
  {
    id: "order-lock-and-access",
    mistake: "One agent writes to what another one locks first, and locks what that one writes to",
    code: "lock-order",
    source: {
      project: "Linux, amdgpu",
      title: "drm/amdgpu: stop reserving the BO in the MMU callback v3",
      where: "3fe89771cb0a65d3b686bcafb5b7e3ebae0ea604",
    },
    wrong: {
      async submission({ a, b, say }) {
        {
          using _reserved = await a.reservation.lock();
          using pages = await b.access("write");
          pages.bytes.fill(1);
        }
        say("submitted");
      },
      async notifier({ a, b, hear }) {
        await hear("submitted");
        using pages = await b.access("write");
        using _reserved = await a.reservation.lock();
        pages.bytes.fill(0);
      },
    },
    right: {
      async submission({ a, b, say }) {
        {
          using pages = await b.access("write");
          using _reserved = await a.reservation.lock();
          pages.bytes.fill(1);
        }
        say("submitted");
      },
      async notifier({ b, hear }) {
        await hear("submitted");
        using pages = await b.access("write");
        pages.bytes.fill(0);
      },
    },
  },
];

async function copy(from: DmaBuf, to: DmaBuf): Promise<void> {
  using source = await from.access("read");
  using target = await to.access("write");
  target.bytes.set(source.bytes);
}
