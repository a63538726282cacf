// cspell:ignore aquired
/** Orders in which locks, holds and fences are taken that contradict each other. None of these programs hangs here. */
import type { DmaBuf, FenceHandle } from "../../../src/index.js";
import type { Case } from "../case.js";
import { begun, lockEach, sleep } from "../parts.js";

/** Milliseconds for another agent to begin to wait: what is ready is not waited for. */
const BEGIN_MS = 50;

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
  {
    id: "order-lock-before-signal",
    mistake: "A submission waits for earlier work with a lock held that is needed to finish this work",
    code: "lock-order",
    source: {
      project: "Linux, etnaviv",
      title: "drm/etnaviv: take GPU lock later in the submit process",
      where: "d9853490176c88fff71d03ec9a174b77011f5026",
    },
    wrong: {
      async recovery({ domain, a, b, say, hear }) {
        using events = domain.createTimeline({ name: "events" });
        const early = await begun(a, events);
        say("event", early.handle());
        await hear("submitting");
        await sleep(BEGIN_MS);
        early.signal();
        await hear("submitted");
        const late = await begun(a, events);
        // The next submission may have the lock, and wait for this.
        await lockEach(b);
        late.signal();
      },
      async submission({ domain, b, hear, say }) {
        const event = domain.import(await hear<FenceHandle>("event"));
        {
          using _gpu = await b.reservation.lock();
          say("submitting");
          await event.wait();
        }
        say("submitted");
      },
    },
    right: {
      async recovery({ domain, a, b, say }) {
        using events = domain.createTimeline({ name: "events" });
        const event = await begun(a, events);
        say("event", event.handle());
        await lockEach(b);
        event.signal();
      },
      async submission({ domain, b, hear }) {
        const event = domain.import(await hear<FenceHandle>("event"));
        await event.wait();
        await lockEach(b);
      },
    },
  },
  {
    id: "order-reservation-at-reset",
    mistake: "Old work is waited for with a reservation held that the reset takes before it ends the work",
    code: "lock-order",
    source: {
      project: "Linux, amdgpu",
      title: "drm/amdgpu: Move old fence waiting before reservation lock is aquired v2",
      where: "0ae94444c08a0adf2fab4aab26be0646ee445a19",
    },
    wrong: {
      async reset({ domain, a, say, hear }) {
        using jobs = domain.createTimeline({ name: "jobs" });
        const old = await begun(a, jobs);
        say("old");
        await hear("submitting");
        await sleep(BEGIN_MS);
        old.signal();
        await hear("submitted");
        const hung = await begun(a, jobs);
        await lockEach(a);
        hung.signal();
      },
      async submission({ a, hear, say }) {
        await hear("old");
        {
          using _reserved = await a.reservation.lock();
          say("submitting");
          await a.reservation.wait("bookkeep");
        }
        say("submitted");
      },
    },
    right: {
      async reset({ domain, a, say, hear }) {
        using jobs = domain.createTimeline({ name: "jobs" });
        const old = await begun(a, jobs);
        say("old");
        await hear("waiting");
        old.signal();
        await lockEach(a);
      },
      async submission({ a, hear, say }) {
        await hear("old");
        // To wait for fences with a reservation held is right: what ends them takes none.
        using _reserved = await a.reservation.lock();
        say("waiting");
        await a.reservation.wait("bookkeep");
      },
    },
  },
  {
    id: "order-job-needs-access",
    mistake: "An agent waits for a job with an access that the job needs",
    code: "lock-order",
    source: {
      project: "VulkanTools",
      title: "api_dump: Fix deadlock with blocking vkWaitSemaphoresKHR call",
      where: "https://github.com/LunarG/VulkanTools/pull/2243",
    },
    wrong: {
      async device({ domain, a, say, hear }) {
        using queue = domain.createQueue<boolean>({
          async run({ data: isLast }) {
            await hear(isLast ? "dumped" : "dumping");
            await sleep(BEGIN_MS);
            if (isLast) (await a.access("write")).close();
          },
        });
        say("submitted", (await queue.submit({ data: false })).handle());
        await (await queue.submit({ data: true })).wait();
      },
      async dump({ domain, a, hear, say }) {
        const finished = domain.import(await hear<FenceHandle>("submitted"));
        {
          using _output = await a.access("write");
          say("dumping");
          await finished.wait();
        }
        say("dumped");
      },
    },
    right: {
      async device({ domain, a, say }) {
        using queue = domain.createQueue({
          async run() {
            using output = await a.access("write");
            output.bytes.fill(1);
          },
        });
        const finished = await queue.submit({});
        say("submitted", finished.handle());
        await finished.wait();
      },
      async dump({ domain, a, hear }) {
        const finished = domain.import(await hear<FenceHandle>("submitted"));
        await finished.wait();
        using _output = await a.access("write");
      },
    },
  },
];

async function copy(from: DmaBuf, to: DmaBuf): Promise<void> {
  using source = await from.access("read");
  using target = await to.access("write");
  target.bytes.set(source.bytes);
}
